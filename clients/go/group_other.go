//go:build !unix && !windows

package sidecar

import (
	"os"
	"syscall"
)

func ownGroup() *syscall.SysProcAttr { return nil }

func kill(process *os.Process) { _ = process.Kill() }
