//go:build unix

package sidecar

import (
	"bufio"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
)

func TestTheSidecarEndsWithAProgramThatIsKilled(t *testing.T) {
	fifo := filepath.Join(t.TempDir(), "fifo")
	if err := syscall.Mkfifo(fifo, 0o600); err != nil {
		t.Fatal(err)
	}
	program := exec.Command(os.Args[0])
	program.Env = append(os.Environ(), playing+"=a program with a sidecar", "FIFO="+fifo,
		"FLYTE_SIDECAR_STORE="+filepath.Join(t.TempDir(), "events.db"))
	program.Stderr = os.Stderr
	stdout := must(program.StdoutPipe())(t)
	if err := program.Start(); err != nil {
		t.Fatal(err)
	}
	held := must(os.Open(fifo))(t) // by the sidecar, for as long as it lives
	defer held.Close()
	if line, err := bufio.NewReader(stdout).ReadString('\n'); line != "started\n" {
		t.Fatalf("%q (%v)", line, err)
	}
	if err := program.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = program.Wait()
	if _, err := io.ReadAll(held); err != nil {
		t.Error(err)
	}
}

func TestASignalToTheTerminalsGroupIsNotForTheSidecar(t *testing.T) {
	client := start(t)
	group := must(syscall.Getpgid(client.process().cmd.Process.Pid))(t)
	if group == syscall.Getpgrp() {
		t.Error("it is in the group of this process")
	}
}

func endOrphan(t *testing.T, file string) {
	t.Helper()
	text := must(os.ReadFile(file))(t)
	pid := must(strconv.Atoi(strings.TrimSpace(string(text))))(t)
	if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
		t.Error(err)
	}
}
