package sidecar

import (
	"errors"
	"io"
	"os"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// Options configure how [Start] runs a sidecar.
type Options struct {
	// Command is the program to run: a path, or a name on the PATH of Env. Default: FLYTE_SIDECAR in
	// Env, else flyte-sidecar in the folder of the running program, else flyte-sidecar on the PATH,
	// else uvx, which downloads it. [Client.Command] returns the one that is used.
	Command string
	// Args are the arguments of the command, for example "--store" and a path.
	Args []string
	// Dir is the working directory of the command. Default: that of this process.
	Dir string
	// Env is the environment of the command, as KEY=value. Default: that of this process.
	Env []string
	// Stderr receives what the command writes to stderr. Default: it is discarded.
	Stderr io.Writer
	// OnAuthRequired shows a person how to log in at the Flyte deployment, which calls wait for. It
	// is called in its own goroutine. Default: log.Print of the message.
	OnAuthRequired func(*AuthRequired)
}

// process is a sidecar that is a child process.
type process struct {
	cmd    *exec.Cmd
	stderr *tail
	exited chan struct{}
	killed atomic.Bool
}

func spawn(command *Command, options Options) (*process, io.ReadCloser, io.WriteCloser, error) {
	stderr := &tail{next: options.Stderr}
	cmd := exec.Command(command.Path, append(slices.Clone(command.Args), options.Args...)...)
	cmd.Dir, cmd.Env, cmd.Stderr = options.Dir, options.Env, stderr
	cmd.SysProcAttr = newProcessGroup()
	cmd.WaitDelay = grace // a child of the sidecar may keep stderr open
	stdin, err := cmd.StdinPipe()
	if err != nil {
		return nil, nil, nil, err
	}
	// StdoutPipe would be closed at the exit, before all output has been read.
	stdout, childStdout, err := os.Pipe()
	if err != nil {
		return nil, nil, nil, errors.Join(err, stdin.Close())
	}
	cmd.Stdout = childStdout
	err = cmd.Start()
	childStdout.Close()
	if err != nil {
		stdout.Close()
		return nil, nil, nil, err
	}
	p := &process{cmd: cmd, stderr: stderr, exited: make(chan struct{})}
	go p.wait(stdout)
	return p, output{stdout}, stdin, nil
}

func (p *process) wait(stdout *os.File) {
	_ = p.cmd.Wait() // ProcessState has the result
	// The pipe contains all output. It has no end if a child of the sidecar keeps it open.
	if stdout.SetReadDeadline(time.Now()) != nil {
		time.AfterFunc(grace, func() { stdout.Close() })
	}
	close(p.exited)
}

func (p *process) end(_ <-chan struct{}, timeout time.Duration) {
	select {
	case <-p.exited:
	case <-time.After(timeout):
		p.killed.Store(true)
		kill(p.cmd.Process)
		<-p.exited
	}
}

func (p *process) disconnected(cause error) *DisconnectedError {
	return &DisconnectedError{State: p.cmd.ProcessState, Stderr: p.stderr.String(), Err: cause}
}

func (p *process) exitError() error {
	switch state := p.cmd.ProcessState; {
	case state == nil: // other code in this program has waited for the process
		return nil
	case state.Success():
		return nil
	case p.killed.Load():
		return p.disconnected(errors.New("it did not exit in time and was killed"))
	default:
		return p.disconnected(nil)
	}
}

// drainTimeout limits how long one read may take after the exit of the sidecar.
const drainTimeout = 100 * time.Millisecond

// output reads the stdout of a sidecar, also what is left in the pipe after its exit.
type output struct{ *os.File }

func (o output) Read(data []byte) (int, error) {
	n, err := o.File.Read(data)
	if errors.Is(err, os.ErrDeadlineExceeded) && o.SetReadDeadline(time.Now().Add(drainTimeout)) == nil {
		n, err = o.File.Read(data)
	}
	if errors.Is(err, os.ErrDeadlineExceeded) || errors.Is(err, os.ErrClosed) {
		err = errors.New("a child process of the sidecar keeps its stdout open")
	}
	return n, err
}

const tailSize = 4 << 10

// tail keeps the last bytes written to it, and copies everything to next until that fails.
type tail struct {
	next io.Writer

	mu   sync.Mutex
	kept []byte
}

func (t *tail) Write(data []byte) (int, error) {
	t.mu.Lock()
	t.kept = append(t.kept, data...)
	t.kept = t.kept[max(0, len(t.kept)-tailSize):]
	t.mu.Unlock()
	if t.next != nil {
		if _, err := t.next.Write(data); err != nil {
			t.next = nil // an error here would end the sidecar's stderr
		}
	}
	return len(data), nil
}

func (t *tail) String() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return strings.ToValidUTF8(string(t.kept), "")
}
