// SPDX-License-Identifier: MIT

package arch

import (
	"bytes"
	"flag"
	"go/ast"
	"go/format"
	"go/parser"
	"go/token"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "write the exported API into the folder api")

// The folder api lists what each package exports to users, so that a change of it
// is seen in review and made on purpose. This command writes it:
//
//	go test ./internal/arch -run ExportedAPI -update
func TestTheExportedAPIIsTheOneListed(t *testing.T) {
	lists := make(map[string][]string)
	all := files(t, ".go")
	for _, file := range sorted(all) {
		dir := path.Dir(file)
		tree := parse(t, file, all[file])
		if top, _, _ := strings.Cut(dir, "/"); top == "internal" || top == "examples" || tree.Name.Name == "main" ||
			strings.Contains(dir, "/internal/") || strings.HasSuffix(file, "_test.go") {
			continue
		}
		ast.FileExports(tree)
		for _, decl := range tree.Decls {
			if line := declaration(t, decl); line != "" && !slices.Contains(lists[dir], line) { // a file for each system may have it
				lists[dir] = append(lists[dir], line)
			}
		}
	}
	for dir, list := range lists {
		slices.Sort(list)
		golden := filepath.Join(root(t), "api", strings.ReplaceAll(dir, "/", ".")+".txt")
		got := strings.Join(list, "\n") + "\n"
		if *update {
			if err := os.WriteFile(golden, []byte(got), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		if want, err := os.ReadFile(golden); err != nil || string(want) != got {
			t.Errorf("what %s exports is not what api/%s lists (%v); -update writes it", dir, filepath.Base(golden), err)
		}
	}
}

// A reader of pkg.go.dev can look up every type that a function needs or returns.
func TestNoExportedFunctionNamesAnUnexportedType(t *testing.T) {
	unexported := make(map[string]bool) // by package and name
	trees := make(map[string]*ast.File)
	for file, source := range files(t, ".go") {
		if strings.HasSuffix(file, "_test.go") {
			continue
		}
		trees[file] = parse(t, file, source)
		for _, decl := range trees[file].Decls {
			if gen, ok := decl.(*ast.GenDecl); ok && gen.Tok == token.TYPE {
				for _, spec := range gen.Specs {
					if name := spec.(*ast.TypeSpec).Name; !name.IsExported() {
						unexported[path.Dir(file)+"."+name.Name] = true
					}
				}
			}
		}
	}
	for file, tree := range trees {
		for _, decl := range tree.Decls {
			fn, ok := decl.(*ast.FuncDecl)
			if !ok || !fn.Name.IsExported() || !receiverIsExported(fn) {
				continue
			}
			for _, fields := range []*ast.FieldList{fn.Type.Params, fn.Type.Results} {
				if fields == nil {
					continue
				}
				for _, field := range fields.List {
					ast.Inspect(field.Type, func(n ast.Node) bool {
						if name, ok := n.(*ast.Ident); ok && unexported[path.Dir(file)+"."+name.Name] {
							t.Errorf("%s: the signature of %s has the unexported type %s", file, fn.Name, name)
						}
						return true
					})
				}
			}
		}
	}
}

func parse(t *testing.T, file string, source []byte) *ast.File {
	t.Helper()
	tree, err := parser.ParseFile(token.NewFileSet(), file, source, 0)
	if err != nil {
		t.Fatal(err)
	}
	return tree
}

// declaration formats what is exported of a declaration, without bodies; "" for
// none.
func declaration(t *testing.T, decl ast.Decl) string {
	t.Helper()
	switch decl := decl.(type) {
	case *ast.FuncDecl:
		if !receiverIsExported(decl) {
			return ""
		}
		decl.Body = nil
	case *ast.GenDecl:
		if decl.Tok == token.IMPORT || len(decl.Specs) == 0 {
			return ""
		}
	}
	var text bytes.Buffer
	if err := format.Node(&text, token.NewFileSet(), decl); err != nil {
		t.Fatal(err)
	}
	return text.String()
}

// receiverIsExported reports whether fn is a function, or a method of an exported
// type.
func receiverIsExported(fn *ast.FuncDecl) bool {
	if fn.Recv == nil {
		return true
	}
	name := fn.Recv.List[0].Type
	if pointer, ok := name.(*ast.StarExpr); ok {
		name = pointer.X
	}
	if generic, ok := name.(*ast.IndexExpr); ok {
		name = generic.X
	}
	return name.(*ast.Ident).IsExported()
}
