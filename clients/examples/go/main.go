// Command approve answers an event from Go, with nothing but the standard library.
//
//	approve RUN NAME PAYLOAD
//
// PAYLOAD is JSON: true, 0.5, '"blue"'.
package main

import (
	"encoding/json"
	"fmt"
	"log"
	"os"
	"os/exec"
)

type event struct {
	Name    string          `json:"name"`
	Prompt  string          `json:"prompt"`
	Phase   string          `json:"phase"`
	Payload json.RawMessage `json:"payload"`
}

type rpcError struct {
	Message string `json:"message"`
	Data    struct {
		Kind string `json:"kind"`
	} `json:"data"`
}

func (e *rpcError) Error() string { return e.Data.Kind + ": " + e.Message }

// sidecar is a conversation, one request at a time.
type sidecar struct {
	requests *json.Encoder
	replies  *json.Decoder
	id       int
}

func (s *sidecar) request(method string, params map[string]any, result any) error {
	s.id++
	request := map[string]any{"jsonrpc": "2.0", "id": s.id, "method": method, "params": params}
	if err := s.requests.Encode(request); err != nil {
		return err
	}
	var reply struct {
		Result json.RawMessage `json:"result"`
		Error  *rpcError       `json:"error"`
	}
	if err := s.replies.Decode(&reply); err != nil {
		return err
	}
	if reply.Error != nil {
		return reply.Error
	}
	return json.Unmarshal(reply.Result, result)
}

func main() {
	log.SetFlags(0)
	if len(os.Args) != 4 {
		log.Fatal("usage: approve RUN NAME PAYLOAD")
	}
	if err := approve(os.Args[1], os.Args[2], json.RawMessage(os.Args[3])); err != nil {
		log.Fatal(err)
	}
}

func approve(run, name string, payload json.RawMessage) (err error) {
	command := exec.Command("flyte-sidecar")
	command.Stderr = os.Stderr
	stdin, err := command.StdinPipe()
	if err != nil {
		return err
	}
	stdout, err := command.StdoutPipe()
	if err != nil {
		return err
	}
	if err := command.Start(); err != nil {
		return err
	}
	defer func() {
		stdin.Close() // the sidecar ends with its input
		if waited := command.Wait(); err == nil {
			err = waited
		}
	}()
	client := &sidecar{requests: json.NewEncoder(stdin), replies: json.NewDecoder(stdout)}

	var page struct {
		Events []event `json:"events"`
	}
	open := map[string]any{"runName": run, "phases": []string{"PAUSED"}}
	if err := client.request("events.list", open, &page); err != nil {
		return err
	}
	fmt.Println("open:", len(page.Events))

	target := map[string]any{"runName": run, "name": name}
	var found *event
	if err := client.request("events.get", target, &found); err != nil {
		return err
	}
	if found != nil {
		fmt.Printf("%s: %s\n", found.Name, found.Prompt)
	}

	target["payload"] = payload
	var answered event
	if err := client.request("events.signal", target, &answered); err != nil {
		return err
	}
	fmt.Println(answered.Phase, string(answered.Payload))
	return nil
}
