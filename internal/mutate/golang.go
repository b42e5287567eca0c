// SPDX-License-Identifier: MIT

package main

import (
	"go/ast"
	"go/parser"
	"go/token"
)

// flipped gives for each operator of Go the one that takes its place.
var flipped = map[token.Token]token.Token{
	token.EQL: token.NEQ, token.NEQ: token.EQL,
	token.LSS: token.LEQ, token.LEQ: token.LSS, token.GTR: token.GEQ, token.GEQ: token.GTR,
	token.LAND: token.LOR, token.LOR: token.LAND,
	token.ADD: token.SUB, token.SUB: token.ADD, token.MUL: token.QUO, token.QUO: token.MUL,
	token.INC: token.DEC, token.DEC: token.INC,
	token.ADD_ASSIGN: token.SUB_ASSIGN, token.SUB_ASSIGN: token.ADD_ASSIGN,
}

// goMutants flips operators, conditions, true and false, leaves calls and
// assignments undone, and returns nil for an error.
func goMutants(file string, src []byte) ([]mutant, error) {
	set := token.NewFileSet()
	tree, err := parser.ParseFile(set, file, src, 0)
	if err != nil {
		return nil, err
	}
	e := &edits{file: file, src: src}
	at := func(p token.Pos) int { return set.Position(p).Offset }
	flip := func(pos token.Pos, op token.Token) {
		if other, ok := flipped[op]; ok {
			e.add(at(pos), at(pos)+len(op.String()), other.String(), op.String()+" to "+other.String())
		}
	}
	wrap := func(n ast.Node, before, after, change string) {
		from, to := at(n.Pos()), at(n.End())
		e.add(from, to, before+string(src[from:to])+after, change)
	}
	undone := func(list []ast.Stmt) {
		for _, s := range list {
			switch s := s.(type) {
			case *ast.AssignStmt:
				if s.Tok == token.ASSIGN {
					wrap(s, "if false { ", " }", "not assigned")
				}
			case *ast.ExprStmt, *ast.DeferStmt, *ast.GoStmt, *ast.SendStmt:
				wrap(s, "if false { ", " }", "not called")
			}
		}
	}
	ast.Inspect(tree, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.BinaryExpr:
			if n.Op != token.ADD || !text(n.X) && !text(n.Y) {
				flip(n.OpPos, n.Op)
			}
		case *ast.IncDecStmt:
			flip(n.TokPos, n.Tok)
		case *ast.AssignStmt:
			flip(n.TokPos, n.Tok)
		case *ast.BlockStmt:
			undone(n.List)
		case *ast.CaseClause:
			undone(n.Body)
		case *ast.CommClause:
			undone(n.Body)
		case *ast.UnaryExpr:
			if n.Op == token.NOT {
				e.add(at(n.OpPos), at(n.OpPos)+1, "", "! to nothing")
			}
		case *ast.IfStmt:
			if u, ok := n.Cond.(*ast.UnaryExpr); !ok || u.Op != token.NOT {
				wrap(n.Cond, "!(", ")", "if to if not")
			}
		case *ast.Ident:
			switch n.Name {
			case "true":
				e.add(at(n.Pos()), at(n.End()), "false", "true to false")
			case "false":
				e.add(at(n.Pos()), at(n.End()), "true", "false to true")
			}
		case *ast.ReturnStmt:
			if len(n.Results) > 0 {
				if err, ok := n.Results[len(n.Results)-1].(*ast.Ident); ok && err.Name == "err" {
					e.add(at(err.Pos()), at(err.End()), "nil", "err to nil")
				}
			}
		}
		return true
	})
	return e.named(), nil
}

// text reports whether an expression is a string literal, or a sum with one.
func text(x ast.Expr) bool {
	switch x := x.(type) {
	case *ast.BasicLit:
		return x.Kind == token.STRING
	case *ast.BinaryExpr:
		return text(x.X) || text(x.Y)
	}
	return false
}
