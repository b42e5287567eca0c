// SPDX-License-Identifier: MIT

package seal

import (
	"context"
	"crypto/rand"
	"fmt"
	"strings"
	"time"

	"golang.org/x/mod/sumdb/note"

	"github.com/holdfast-go/holdfast/audit"
)

// GenerateKey returns a new root key of a trail: private is for [Certify] and stays
// away from the hosts that seal, public is for [Config.Root]. name is the origin of
// the trail's checkpoints, such as "hotel.example/audit": not empty, without spaces
// and plus signs.
func GenerateKey(name string) (private, public string, err error) {
	private, public, err = note.GenerateKey(rand.Reader, name)
	if err == nil {
		_, err = note.NewVerifier(public)
	}
	if err != nil {
		return "", "", fmt.Errorf("seal: %w: the name of a key: %w", audit.ErrInvalid, err)
	}
	return private, public, nil
}

const certificateHead = "holdfast seal certificate"

// Certify certifies the key of a process, which [Config.Certify] gets as request,
// for checkpoints from a time on until another one. root is the root key, of
// note.NewSigner or of a service that keeps it. It is for the place where the root
// key is: a service that a process asks when it starts.
func Certify(root note.Signer, request string, from, until time.Time) (certificate string, err error) {
	v, err := note.NewVerifier(request)
	if err != nil || v.Name() != root.Name() {
		return "", fmt.Errorf("seal: %w: the request is no key of %s", audit.ErrInvalid, root.Name())
	}
	text := fmt.Sprintf("%s\n%s\n%d\n%d\n", certificateHead, request, from.UnixMicro(), until.UnixMicro())
	signed, err := note.Sign(&note.Note{Text: text}, root)
	return string(signed), err
}

// certified is what a certificate says.
type certified struct {
	verifier    note.Verifier
	from, until time.Time
}

func openCertificate(root note.Verifier, text string) (c certified, err error) {
	n, err := note.Open([]byte(text), note.VerifierList(root))
	if err != nil {
		return c, damaged("a certificate: %v", err)
	}
	lines := strings.Split(n.Text, "\n")
	if len(lines) != 5 || lines[0] != certificateHead {
		return c, damaged("no certificate of a key")
	}
	if c.verifier, err = note.NewVerifier(lines[1]); err != nil || c.verifier.Name() != root.Name() {
		return c, damaged("a certificate of no key of %s", root.Name())
	}
	from, err := number(lines[2], "")
	if err != nil {
		return c, err
	}
	until, err := number(lines[3], "")
	c.from, c.until = micro(from), micro(until)
	return c, err
}

// key is the key of a run. It is in memory only.
type key struct {
	certified
	signer      note.Signer
	certificate string
	renew       time.Time
}

// newKey makes a key and has it certified.
func newKey(ctx context.Context, root note.Verifier, certify func(context.Context, string) (string, error)) (*key, error) {
	private, public, err := note.GenerateKey(rand.Reader, root.Name())
	if err != nil {
		return nil, err
	}
	k := &key{}
	if k.signer, err = note.NewSigner(private); err != nil {
		return nil, err
	}
	if k.certificate, err = certify(ctx, public); err != nil {
		return nil, fmt.Errorf("seal: the certificate: %w", err)
	}
	if k.certified, err = openCertificate(root, k.certificate); err != nil {
		return nil, err
	}
	if k.verifier.KeyHash() != k.signer.KeyHash() {
		return nil, damaged("a certificate of another key")
	}
	k.renew = k.from.Add(k.until.Sub(k.from) / 3 * 2)
	return k, nil
}
