// SPDX-License-Identifier: MIT

package arch

import (
	"go/ast"
	"go/token"
	"path"
	"strings"
	"testing"
)

// docs/errors.md answers for every error that a user of a package can meet: each
// exported sentinel, and each exported error type.
func TestTheListOfErrorsIsComplete(t *testing.T) {
	sections := make(map[string]string)
	for _, section := range strings.Split(string(files(t, ".md")["docs/errors.md"]), "\n## ")[1:] {
		dir, text, _ := strings.Cut(section, "\n")
		sections[dir] = text
	}
	listed := make(map[string]int)
	for file, source := range files(t, ".go") {
		dir := path.Dir(file)
		if top, _, _ := strings.Cut(dir, "/"); top == "internal" || top == "examples" || strings.Contains(dir, "/internal") || strings.HasSuffix(file, "_test.go") {
			continue
		}
		text := sections[dir]
		for _, name := range exportedErrors(t, file, source) {
			listed[path.Dir(file)]++
			if !strings.Contains(text, "`"+name+"`") && !strings.Contains(text, "`*"+name+"`") {
				t.Errorf("docs/errors.md does not list %s of %s", name, path.Dir(file))
			}
		}
	}
	for _, dir := range []string{"circuitbreaker", "lock", "session", "session/httpsession", "audit", "metrics"} {
		if listed[dir] == 0 {
			t.Errorf("no error of %s was found", dir)
		}
	}
}

// exportedErrors lists variables ErrX and types XError.
func exportedErrors(t *testing.T, file string, source []byte) (names []string) {
	t.Helper()
	for _, decl := range parse(t, file, source).Decls {
		gen, ok := decl.(*ast.GenDecl)
		if !ok {
			continue
		}
		for _, spec := range gen.Specs {
			switch spec := spec.(type) {
			case *ast.ValueSpec:
				for _, name := range spec.Names {
					if strings.HasPrefix(name.Name, "Err") && gen.Tok == token.VAR {
						names = append(names, name.Name)
					}
				}
			case *ast.TypeSpec:
				if strings.HasSuffix(spec.Name.Name, "Error") && spec.Name.IsExported() {
					names = append(names, spec.Name.Name)
				}
			}
		}
	}
	return names
}
