# Everything a developer or CI runs; the work is done by scripts/.
.PHONY: demo test lint bench clean

demo: ## install what a build needs, build, and show the main job on practice keys
	@scripts/install.sh demo
	@scripts/demo.sh

test: ## install the programs that the tests compare with, then run all that CI runs
	@scripts/test.sh

lint: ## the quick half of `make test`: format, clippy, documentation
	@scripts/test.sh fmt clippy clippy-bare doc

bench: ## measure; prints ratios within one run
	@cargo bench --locked --bench '*'

clean: ## remove what was built here (the tools in ~/.cache/breakglass-tools stay)
	@cargo clean
