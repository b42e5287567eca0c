module github.com/holdfast-go/holdfast/internal/bench

go 1.26

replace github.com/holdfast-go/holdfast => ../..
