//go:build !unix

package sidecar

import "syscall"

func ownGroup() *syscall.SysProcAttr { return nil }
