// The examples of docs/clients/go.md, one after the other.
package main

import (
	"context"
	"errors"
	"fmt"
	"log"
	"os"
	"time"

	sidecar "github.com/flyte-sidecar/flyte-sidecar/clients/go"
)

func main() {
	ctx := context.Background()
	client, err := start(ctx)
	if err != nil {
		log.Fatal(err)
	}
	for _, example := range []func(context.Context, *sidecar.Client) error{
		create, list, answer, payloads, wait, watch, cancel, failures, several, login,
	} {
		if err := example(ctx, client); err != nil {
			log.Fatal(err)
		}
	}
	// region close
	select {
	case <-client.Done():
		log.Print(client.Err()) // the sidecar has ended
	default:
	}
	if err := client.Close(); err != nil {
		log.Print(err) // it did not exit cleanly
	}
	// endregion
}

func start(ctx context.Context) (*sidecar.Client, error) {
	// region start
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second) // limits the start
	defer cancel()
	client, err := sidecar.Start(ctx, sidecar.Options{
		Args:   []string{"--store", "events.db"}, // default: the embedded store of the user
		Stderr: os.Stderr,                        // default: the log is discarded
	})
	// endregion
	return client, err
}

func create(ctx context.Context, client *sidecar.Client) error {
	for _, event := range []sidecar.CreateParams{
		{Name: "deploy", Prompt: "Deploy the model?"},
		{Name: "rate", ExpectedType: sidecar.ExpectedTypeFloat},
		{Name: "publish"},
		{Name: "notify"},
	} {
		event.RunName = "training-7"
		if _, err := client.Events.Create(ctx, event); err != nil {
			return err
		}
	}
	return nil
}

func list(ctx context.Context, client *sidecar.Client) error {
	// region list
	query := sidecar.ListParams{RunName: "training-7", Phases: []sidecar.Phase{sidecar.PhasePaused}}
	for event, err := range client.Events.ListAll(ctx, query) {
		if err != nil {
			return err
		}
		fmt.Println(event.Name, event.ExpectedType, event.Prompt)
	}
	// endregion
	return nil
}

func answer(ctx context.Context, client *sidecar.Client) error {
	// region answer
	answered, err := client.Events.Signal(ctx, sidecar.SignalParams{
		RunName: "training-7", Name: "deploy", Payload: sidecar.Bool(true),
	})
	if err != nil {
		return err
	}
	fmt.Println(answered.Phase, answered.Payload)
	// endregion
	return nil
}

func payloads(ctx context.Context, client *sidecar.Client) error {
	// region payloads
	event, err := client.Events.Signal(ctx, sidecar.SignalParams{
		RunName: "training-7", Name: "rate", Payload: sidecar.Float(3),
	})
	if err != nil {
		return err
	}
	switch payload := event.Payload.(type) {
	case nil:
		fmt.Println("no answer")
	case sidecar.Bool:
		fmt.Println("approved:", bool(payload))
	case sidecar.Int:
		fmt.Println("count:", int64(payload))
	case sidecar.Float:
		fmt.Printf("rate: %.1f\n", float64(payload))
	case sidecar.Str:
		fmt.Println("text:", string(payload))
	}
	// endregion
	return nil
}

func wait(ctx context.Context, client *sidecar.Client) error {
	// region wait
	event, err := client.Events.Wait(ctx, sidecar.WaitParams{RunName: "training-7", Name: "deploy"})
	if err != nil {
		return err
	}
	if event.Phase == sidecar.PhaseSucceeded {
		fmt.Println("the answer is", event.Payload)
	} else {
		fmt.Println("no answer:", event.Phase, event.AbortReason)
	}
	// endregion
	return nil
}

func watch(ctx context.Context, client *sidecar.Client) error {
	// region watch
	for notification, err := range client.Events.Watch(ctx, sidecar.WatchParams{RunName: "training-7"}) {
		if err != nil {
			return err
		}
		switch n := notification.(type) {
		case *sidecar.EventChanged:
			fmt.Println(n.Change, n.Event.Name, n.Event.Phase)
		case *sidecar.WatchSynced:
			return nil // all current events were reported; without this line, changes follow
		}
	}
	// endregion
	return nil
}

func cancel(ctx context.Context, client *sidecar.Client) error {
	// region cancel
	ctx, cancel := context.WithTimeout(ctx, 100*time.Millisecond)
	defer cancel()
	_, err := client.Events.Wait(ctx, sidecar.WaitParams{RunName: "training-7", Name: "publish"})
	if errors.Is(err, context.DeadlineExceeded) {
		fmt.Println("nobody answered in time")
		return nil
	}
	// endregion
	return err
}

func failures(ctx context.Context, client *sidecar.Client) error {
	// region errors
	_, err := client.Events.Signal(ctx, sidecar.SignalParams{
		RunName: "training-7", Name: "deploy", Payload: sidecar.Bool(false),
	})
	var details *sidecar.Error
	if errors.Is(err, sidecar.KindAlreadySignalled) && errors.As(err, &details) {
		fmt.Println("already answered with", details.Data.Event.Payload)
		return nil
	}
	// endregion
	return err
}

func several(ctx context.Context, client *sidecar.Client) error {
	// region several
	params := sidecar.SignalManyParams{Payload: sidecar.Bool(true)}
	for event, err := range client.Events.PendingAll(ctx, sidecar.PendingParams{}) {
		if err != nil {
			return err
		}
		if event.ExpectedType == sidecar.ExpectedTypeBool {
			params.Events = append(params.Events, &sidecar.EventRef{
				RunName: event.RunName, ActionName: event.ActionName,
				Org: event.Org, Project: event.Project, Domain: event.Domain,
			})
		}
	}
	answered, err := client.Events.SignalMany(ctx, params)
	if err != nil {
		return err
	}
	for _, result := range answered.Results {
		if result.Error != nil {
			fmt.Println("failed:", result.Error)
		} else {
			fmt.Println("approved", result.Event.Name)
		}
	}
	// endregion
	return nil
}

func login(ctx context.Context, _ *sidecar.Client) error {
	// region login
	client, err := sidecar.Start(ctx, sidecar.Options{
		Args: []string{"--backend", "flyte", "--endpoint", "flyte.example.com"},
		OnAuthRequired: func(login *sidecar.AuthRequired) {
			log.Print("log in: ", login.URL, " ", login.UserCode)
		},
	})
	if err != nil {
		return err
	}
	// endregion
	return client.Close()
}
