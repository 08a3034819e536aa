module github.com/lambda-invoke/liblambda_invoke/bindings/go

go 1.21
