# Aliases for those whose fingers say make; ./dev is the real one and needs no make.
.PHONY: dev test check bench

dev:
	./dev

test:
	./dev test

check:
	./dev check

bench:
	./dev bench
