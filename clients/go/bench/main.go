// Command bench measures the overhead of the client compared with a bare pipe: events.get, one at a
// time and pipelined. It prints one JSON object, in milliseconds and calls per second.
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

// getter gets the event once, or many times concurrently.
type getter interface {
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
		log.Fatal("COUNT must be a positive integer")
	}
	result, err := compare([]string{"--store", os.Args[1]}, count)
	if err != nil {
		log.Fatal(err)
	}
	if err := json.NewEncoder(os.Stdout).Encode(result); err != nil {
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
	result := &report{Count: count}
	if result.Raw, err = measure(pipe, count); err != nil {
		return nil, fmt.Errorf("raw: %w", err)
	}
	if result.Client, err = measure(library{client}, count); err != nil {
		return nil, fmt.Errorf("client: %w", err)
	}
	return result, nil
}

const warmUp = 1000

func measure(getter getter, count int) (figures, error) {
	for range warmUp {
		if err := getter.get(); err != nil {
			return figures{}, err
		}
	}
	durations := make([]time.Duration, count)
	for i := range durations {
		start := time.Now()
		if err := getter.get(); err != nil {
			return figures{}, err
		}
		durations[i] = time.Since(start)
	}
	slices.Sort(durations)
	milliseconds := func(percentile int) float64 {
		return float64(durations[(count-1)*percentile/100].Nanoseconds()) / 1e6
	}
	start := time.Now()
	if err := getter.getMany(count); err != nil {
		return figures{}, err
	}
	rate := float64(count) / time.Since(start).Seconds()
	return figures{milliseconds(50), milliseconds(99), rate}, getter.close()
}

// library gets the event with the client.
type library struct{ client *sidecar.Client }

func (l library) get() error {
	event, err := l.client.Events.Get(context.Background(), sidecar.GetParams{RunName: run, Name: name})
	if err == nil && event.Name != name {
		err = fmt.Errorf("unexpected event: %v", event)
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

// pipe gets the event with JSON lines only: responses are not matched to requests, and there is no
// cancellation.
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
	var response struct {
		Result *sidecar.Event `json:"result"`
	}
	if err := json.Unmarshal(line, &response); err != nil {
		return err
	}
	if response.Result == nil || response.Result.Name != name {
		return fmt.Errorf("unexpected response: %s", line)
	}
	return nil
}

func (p *pipe) close() error {
	if err := p.stdin.Close(); err != nil {
		return err
	}
	return p.command.Wait()
}
