// SPDX-License-Identifier: MIT

package main

import (
	"cmp"
	"crypto/sha256"
	"fmt"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
)

// A mutant is one file with one change.
type mutant struct {
	file     string // path below the root, with slashes
	src      []byte // of the file, which may be edited while mutants are tried
	line     int
	from, to int    // the bytes that are replaced
	text     string // by what
	change   string // for readers: "== to !="
	result   string // the changed lines: the mutant's name within its file
}

// apply returns the source with the change made.
func (m mutant) apply() []byte {
	return slices.Concat(m.src[:m.from], []byte(m.text), m.src[m.to:])
}

// lua reports whether the mutant is one of a script.
func (m mutant) lua() bool { return strings.HasSuffix(m.file, ".lua") }

// dir is the folder of the file.
func (m mutant) dir() string { return path.Dir(m.file) }

// name is the same for as long as the changed lines are: other lines may come
// and go.
func (m mutant) name() string { return m.file + "\t" + m.result }

// rank orders mutants at random, by the seed and the name alone, so that an edit
// changes which ones are picked in its own lines only.
func (m mutant) rank(seed int) string {
	return fmt.Sprintf("%x", sha256.Sum256(fmt.Appendf(nil, "%d\t%s", seed, m.name())))
}

// edits collects the mutants of one source.
type edits struct {
	file string
	src  []byte
	all  []mutant
}

func (e *edits) add(from, to int, text, change string) {
	e.all = append(e.all, mutant{file: e.file, src: e.src, from: from, to: to, text: text, change: change})
}

// named gives the mutants, in the order of the file, their lines and names.
func (e *edits) named() []mutant {
	slices.SortStableFunc(e.all, func(a, b mutant) int { return cmp.Compare(a.from, b.from) })
	seen := make(map[string]int)
	for i := range e.all {
		m := &e.all[i]
		m.line = 1 + strings.Count(string(e.src[:m.from]), "\n")
		begin := strings.LastIndexByte(string(e.src[:m.from]), '\n') + 1
		rest, _, _ := strings.Cut(string(e.src[m.to:]), "\n")
		m.result = strings.Join(strings.Fields(string(e.src[begin:m.from])+m.text+rest), " ")
		seen[m.result]++
		if n := seen[m.result]; n > 1 {
			m.result += fmt.Sprintf(" #%d", n)
		}
	}
	return e.all
}

// mutants lists those of every Go and Lua file in a folder below the root, or
// of the one file that the path names.
func mutants(root, where string) (all []mutant, err error) {
	names := []string{where}
	if filepath.Ext(where) == "" {
		if names, err = filepath.Glob(filepath.Join(root, where, "*.*")); err != nil {
			return nil, err
		}
		for i := range names {
			names[i] = where + "/" + filepath.Base(names[i])
		}
	}
	for _, name := range names {
		read := map[string]func(string, []byte) ([]mutant, error){".go": goMutants, ".lua": luaMutants}[filepath.Ext(name)]
		if read == nil || strings.HasSuffix(name, "_test.go") {
			continue
		}
		src, err := os.ReadFile(filepath.Join(root, filepath.FromSlash(name)))
		if err != nil {
			return nil, err
		}
		list, err := read(name, src)
		if err != nil {
			return nil, err
		}
		all = append(all, list...)
	}
	return all, nil
}
