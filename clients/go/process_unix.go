//go:build unix

package sidecar

import (
	"os"
	"syscall"
)

// newProcessGroup keeps a Ctrl-C of the terminal from the sidecar: this process ends it.
func newProcessGroup() *syscall.SysProcAttr { return &syscall.SysProcAttr{Setpgid: true} }

// kill kills a process and its process group.
func kill(process *os.Process) { _ = syscall.Kill(-process.Pid, syscall.SIGKILL) }
