#!/usr/bin/env bash
# Prints the prompts of the events that wait, and of each new one, until Ctrl-C. Needs jq.
flyte-sidecar watch --json |
  jq -r --unbuffered '.params.event | select(.pending).prompt'
