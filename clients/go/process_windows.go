package sidecar

import (
	"os"
	"syscall"
)

// newProcessGroup keeps a Ctrl-C of the console from the sidecar: this process ends it.
func newProcessGroup() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{CreationFlags: syscall.CREATE_NEW_PROCESS_GROUP}
}

func kill(process *os.Process) { _ = process.Kill() }
