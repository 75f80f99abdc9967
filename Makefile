# A thin layer: each target is one command, so that Windows without make loses nothing.
ifeq ($(OS),Windows_NT)
PYTHON ?= python
else
PYTHON ?= python3
endif
BWM = $(PYTHON) -m bwm_tutorials

.PHONY: help run report lab learner teacher kit notebooks book data doctor test lint bench calibrate locks clean

help:       ## list the targets
	@grep -hE '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed 's/: *## /: /'
run:        ## install what is needed and run every lesson (SOURCE=real, EID=... for another recording)
	$(BWM) run $(if $(SOURCE),--source "$(SOURCE)") $(if $(EID),--eid "$(EID)")
report:     ## write a report of each probe insertion (SOURCE=sample-release, PID=... for others)
	$(BWM) report $(PID) $(if $(SOURCE),--source "$(SOURCE)")
lab:        ## copy the lessons into my_lessons/ and open them in JupyterLab
	$(BWM) start
learner:    ## the lessons without notes and solutions, and pages of them
	$(BWM) learner
teacher:    ## the lessons with notes, solutions and outputs
	$(BWM) teacher
kit:        ## a folder for USB sticks, to install from without a network (DIR=/path/of/a/new/folder)
	$(BWM) kit "$(or $(DIR),_build/kit)"
notebooks:  ## generate and execute the notebooks from their sources
	$(BWM) notebooks
book:       ## build the lessons and the package's reference as one site, in _build/book
	$(BWM) book
data:       ## build the sample
	$(BWM) data
doctor:     ## check this computer, with a fix for what is wrong
	$(BWM) doctor
test:       ## run all tests
	$(BWM) test
lint:       ## check the style of the code
	$(BWM) lint
calibrate:  ## hold the sample against real sessions: the table and the picture in data/README.md
	$(BWM) calibrate
bench:      ## measure times and memory
	$(BWM) bench
locks:      ## write the locks anew from the bounds in pyproject.toml
	$(BWM) locks
clean:      ## remove what was built
	$(BWM) clean
