// SPDX-License-Identifier: MIT

package seal

import (
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

// ErrDamaged says that a checkpoint, a certificate or a proof is not what it was
// when it was made.
var ErrDamaged = errors.New("seal: damaged")

func damaged(format string, args ...any) error { return own(ErrDamaged, format, args...) }

// ownError is an error that is not one of the database. Its text may be shown.
type ownError struct{ error }

func (e ownError) Unwrap() error { return e.error }

func own(kind error, format string, args ...any) error {
	return ownError{fmt.Errorf("%w: "+format, append([]any{kind}, args...)...)}
}

// shown returns the error of a transaction: gormsink hides the texts of all.
func shown(err error) error {
	if own, ok := errors.AsType[ownError](err); ok {
		return own
	}
	return err
}

// checkpoint is a signed statement about the tree, in the form of C2SP's
// tlog-checkpoint: the origin, the size and the root, and lines of its own.
type checkpoint struct {
	origin   string
	tree     frontier
	previous int64     // the size of the checkpoint before
	at       time.Time // by the clock of the process that signed
	horizon  int64     // what was recorded before that, and is not sealed, never will be
	text     string    // the signed note
}

// said is the hash of what is signed, without the signatures.
func (c *checkpoint) said() tlog.Hash {
	body, _, _ := strings.Cut(c.text, "\n\n")
	return sha256.Sum256([]byte(body))
}

// sign makes the text.
func (c *checkpoint) sign(k *key) (err error) {
	c.origin, c.at = k.signer.Name(), c.at.UTC().Truncate(time.Microsecond)
	root := c.tree.root()
	text := fmt.Sprintf("%s\n%d\n%s\nprevious %d\ntime %d\nhorizon %d\nfrontier %s\ncertificate %s\n", c.origin, c.tree.size, root,
		c.previous, c.at.UnixMicro(), c.horizon, base64.StdEncoding.EncodeToString(c.tree.bytes()), base64.StdEncoding.EncodeToString([]byte(k.certificate)))
	signed, err := note.Sign(&note.Note{Text: text}, k.signer)
	c.text = string(signed)
	return err
}

// openCheckpoint reads a signed checkpoint. Its key must have a certificate of the
// root key, and its time must lie in the validity of the certificate.
func openCheckpoint(root note.Verifier, text string) (c checkpoint, err error) {
	body, _, _ := strings.Cut(text, "\n\n")
	lines := strings.Split(body, "\n")
	if len(lines) != 8 {
		return c, damaged("a checkpoint of %d lines", len(lines))
	}
	certificate, err := unbase64(lines[7], "certificate ")
	if err != nil {
		return c, err
	}
	cert, err := openCertificate(root, string(certificate))
	if err != nil {
		return c, err
	}
	if n, err := note.Open([]byte(text), note.VerifierList(cert.verifier)); err != nil || n.Text != body+"\n" {
		return c, damaged("the signature of a checkpoint")
	}
	c = checkpoint{origin: lines[0], text: text}
	hash, err := tlog.ParseHash(lines[2])
	if err != nil {
		return c, damaged("the root of a checkpoint")
	}
	var micros int64
	size, sizeErr := number(lines[1], "")
	if err := errors.Join(sizeErr, set(&c.previous, lines[3], "previous "), set(&micros, lines[4], "time "), set(&c.horizon, lines[5], "horizon ")); err != nil {
		return c, err
	}
	roots, err := unbase64(lines[6], "frontier ")
	if err != nil {
		return c, err
	}
	if c.tree, err = parseFrontier(size, hash, roots); err != nil {
		return c, damaged("a checkpoint: %v", err)
	}
	c.at = micro(micros)
	if c.origin != root.Name() {
		return c, damaged("a checkpoint of another trail")
	}
	if c.at.Before(cert.from) || !c.at.Before(cert.until) {
		return c, damaged("a checkpoint of %s, when its key was not valid", c.at.Format(time.RFC3339))
	}
	return c, nil
}

// point is a row of the table of checkpoints.
type point struct {
	Size int64
	Note string
}

// openPoint reads a checkpoint that stands where it belongs. The row of size 0 is the
// empty tree.
func openPoint(root note.Verifier, p point) (c checkpoint, err error) {
	if p == (point{}) {
		return c, nil
	}
	if c, err = openCheckpoint(root, p.Note); err == nil && c.tree.size != p.Size {
		err = damaged("it is checkpoint %d", c.tree.size)
	}
	return c, err
}

func set(to *int64, line, prefix string) (err error) {
	*to, err = number(line, prefix)
	return err
}

// number reads the number after a prefix, as it is written with %d.
func number(line, prefix string) (int64, error) {
	text, ok := strings.CutPrefix(line, prefix)
	n, err := strconv.ParseInt(text, 10, 64)
	if !ok || err != nil || n < 0 || strconv.FormatInt(n, 10) != text {
		return 0, damaged("a line of a checkpoint is not %q and a number", prefix)
	}
	return n, nil
}

func unbase64(line, prefix string) ([]byte, error) {
	text, ok := strings.CutPrefix(line, prefix)
	b, err := base64.StdEncoding.Strict().DecodeString(text)
	if !ok || err != nil {
		return nil, damaged("a line is not %q and base64", prefix)
	}
	return b, nil
}
