//go:build !unix && !windows

package sidecar

import (
	"os"
	"syscall"
)

func newProcessGroup() *syscall.SysProcAttr { return nil }

func kill(process *os.Process) { _ = process.Kill() }
