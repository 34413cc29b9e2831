// Command bench measures what the client costs over a pipe that is driven by hand: events.get, one
// at a time and many at once. It prints one JSON object, in milliseconds and calls a second.
//
//	bench STORE COUNT
package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"sync"
	"time"

	sidecar "github.com/flyte-sidecar/flyte-sidecar/clients/go"
)

const run, name = "bench", "event"

// way is one of getting the event: once, and many times at once.
type way interface {
	get() error
	getMany(count int) error
	close() error
}

type figures struct {
	P50       float64 `json:"p50"`
	P99       float64 `json:"p99"`
	PerSecond float64 `json:"perSecond"`
}

type report struct {
	Count  int     `json:"count"`
	Raw    figures `json:"raw"`
	Client figures `json:"client"`
}

func main() {
	log.SetFlags(0)
	if len(os.Args) != 3 {
		log.Fatal("usage: bench STORE COUNT")
	}
	count, err := strconv.Atoi(os.Args[2])
	if err != nil || count < 1 {
		log.Fatal("COUNT is a number from 1 on")
	}
	found, err := compare([]string{"--store", os.Args[1]}, count)
	if err != nil {
		log.Fatal(err)
	}
	if err := json.NewEncoder(os.Stdout).Encode(found); err != nil {
		log.Fatal(err)
	}
}

func compare(args []string, count int) (*report, error) {
	ctx := context.Background()
	client, err := sidecar.Start(ctx, sidecar.Options{Args: args, Stderr: os.Stderr})
	if err != nil {
		return nil, err
	}
	_, err = client.Events.Create(ctx, sidecar.CreateParams{RunName: run, Name: name})
	if err != nil && !errors.Is(err, sidecar.KindEventExists) {
		return nil, err
	}
	pipe, err := openPipe(args)
	if err != nil {
		return nil, err
	}
	found := &report{Count: count}
	if found.Raw, err = measure(pipe, count); err != nil {
		return nil, fmt.Errorf("raw: %w", err)
	}
	if found.Client, err = measure(library{client}, count); err != nil {
		return nil, fmt.Errorf("client: %w", err)
	}
	return found, nil
}

const warmUp = 1000

func measure(way way, count int) (figures, error) {
	for range warmUp {
		if err := way.get(); err != nil {
			return figures{}, err
		}
	}
	took := make([]time.Duration, count)
	for i := range took {
		began := time.Now()
		if err := way.get(); err != nil {
			return figures{}, err
		}
		took[i] = time.Since(began)
	}
	slices.Sort(took)
	milliseconds := func(share int) float64 {
		return float64(took[(count-1)*share/100].Nanoseconds()) / 1e6
	}
	began := time.Now()
	if err := way.getMany(count); err != nil {
		return figures{}, err
	}
	rate := float64(count) / time.Since(began).Seconds()
	return figures{milliseconds(50), milliseconds(99), rate}, way.close()
}

// library is the client.
type library struct{ client *sidecar.Client }

func (l library) get() error {
	event, err := l.client.Events.Get(context.Background(), sidecar.GetParams{RunName: run, Name: name})
	if err == nil && event.Name != name {
		err = fmt.Errorf("another event: %v", event)
	}
	return err
}

func (l library) getMany(count int) error {
	var wait sync.WaitGroup
	failed := make(chan error, count)
	for range count {
		wait.Add(1)
		go func() {
			defer wait.Done()
			if err := l.get(); err != nil {
				failed <- err
			}
		}()
	}
	wait.Wait()
	close(failed)
	return <-failed
}

func (l library) close() error { return l.client.Close() }

// pipe is JSON lines by hand: answers are not matched to requests, nothing can be cancelled.
type pipe struct {
	command *exec.Cmd
	stdin   io.WriteCloser
	stdout  *bufio.Reader
	lastID  int
}

func openPipe(args []string) (*pipe, error) {
	command := exec.Command("flyte-sidecar", args...)
	command.Stderr = os.Stderr
	stdin, err := command.StdinPipe()
	if err != nil {
		return nil, err
	}
	stdout, err := command.StdoutPipe()
	if err != nil {
		return nil, err
	}
	return &pipe{command, stdin, bufio.NewReaderSize(stdout, 64<<10), 0}, command.Start()
}

func (p *pipe) get() error {
	if err := p.write(p.stdin); err != nil {
		return err
	}
	return p.read()
}

func (p *pipe) getMany(count int) error {
	written := make(chan error, 1)
	go func() {
		buffer := bufio.NewWriterSize(p.stdin, 64<<10)
		for range count {
			if err := p.write(buffer); err != nil {
				written <- err
				return
			}
		}
		written <- buffer.Flush()
	}()
	for range count {
		if err := p.read(); err != nil {
			return err
		}
	}
	return <-written
}

func (p *pipe) write(w io.Writer) error {
	p.lastID++
	line, err := json.Marshal(struct {
		Version string            `json:"jsonrpc"`
		ID      int               `json:"id"`
		Method  string            `json:"method"`
		Params  sidecar.GetParams `json:"params"`
	}{"2.0", p.lastID, "events.get", sidecar.GetParams{RunName: run, Name: name}})
	if err != nil {
		return err
	}
	_, err = w.Write(append(line, '\n'))
	return err
}

func (p *pipe) read() error {
	line, err := p.stdout.ReadSlice('\n')
	if err != nil {
		return err
	}
	var answer struct {
		Result *sidecar.Event `json:"result"`
	}
	if err := json.Unmarshal(line, &answer); err != nil {
		return err
	}
	if answer.Result == nil || answer.Result.Name != name {
		return fmt.Errorf("another answer: %s", line)
	}
	return nil
}

func (p *pipe) close() error {
	if err := p.stdin.Close(); err != nil {
		return err
	}
	return p.command.Wait()
}
