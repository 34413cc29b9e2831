package sidecar

import (
	"os"
	"syscall"
)

// ownGroup keeps a console's Ctrl-C from the sidecar: it is for this process to end it.
func ownGroup() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{CreationFlags: syscall.CREATE_NEW_PROCESS_GROUP}
}

func kill(process *os.Process) { _ = process.Kill() }
