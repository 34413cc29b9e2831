//go:build unix

package sidecar

import "syscall"

// ownGroup keeps a terminal's Ctrl-C from the sidecar: it is for this process to end it.
func ownGroup() *syscall.SysProcAttr { return &syscall.SysProcAttr{Setpgid: true} }
