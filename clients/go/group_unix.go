//go:build unix

package sidecar

import (
	"os"
	"syscall"
)

// ownGroup keeps a terminal's Ctrl-C from the sidecar: it is for this process to end it.
func ownGroup() *syscall.SysProcAttr { return &syscall.SysProcAttr{Setpgid: true} }

// kill kills a process and what it has started in its group.
func kill(process *os.Process) { _ = syscall.Kill(-process.Pid, syscall.SIGKILL) }
