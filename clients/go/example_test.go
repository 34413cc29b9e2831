package sidecar_test

import (
	"context"
	"errors"
	"fmt"
	"time"

	sidecar "github.com/flyte-sidecar/flyte-sidecar/clients/go"
)

func Example() {
	ctx := context.Background()
	client, err := sidecar.Start(ctx, sidecar.Options{})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer client.Close()

	for event, err := range client.Events.ListAll(ctx, sidecar.ListParams{RunName: "r1"}) {
		if err != nil {
			fmt.Println(err)
			return
		}
		fmt.Println(event.Name, event.Phase, event.Payload)
	}

	event, err := client.Events.Signal(ctx, sidecar.SignalParams{
		RunName: "r1",
		Name:    "deploy",
		Payload: sidecar.Bool(true),
	})
	switch {
	case errors.Is(err, sidecar.KindAlreadySignalled):
		fmt.Println("somebody said no")
	case err != nil:
		fmt.Println(err)
	default:
		fmt.Println(event.Phase)
	}
}

func ExampleEventsService_Watch() {
	ctx, cancel := context.WithTimeout(context.Background(), time.Hour)
	defer cancel()
	client, err := sidecar.Start(ctx, sidecar.Options{})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer client.Close()

	for notice, err := range client.Events.Watch(ctx, sidecar.WatchParams{RunName: "r1"}) {
		if err != nil {
			fmt.Println(err) // the hour is over, say
			return
		}
		switch n := notice.(type) {
		case *sidecar.EventChanged:
			fmt.Println(n.Change, n.Event.Name)
		case *sidecar.WatchSynced:
			fmt.Println("this is what stands")
		case *sidecar.WatchResult:
			fmt.Println("it ended:", n.Reason)
		}
	}
}

func ExampleError() {
	var client *sidecar.Client // as in the example of the package

	_, err := client.Events.Wait(context.Background(), sidecar.WaitParams{RunName: "r1", Name: "deploy"})
	var told *sidecar.Error
	switch {
	case errors.Is(err, sidecar.KindAmbiguousEvent) && errors.As(err, &told):
		for _, event := range told.Data.Candidates {
			fmt.Println(event.ActionName, event.Parent)
		}
	case errors.Is(err, sidecar.KindDisconnected):
		fmt.Println("the sidecar crashed:", err)
	}
}

func ExamplePayload() {
	var event *sidecar.Event // as events.get gives it

	switch payload := event.Payload.(type) {
	case nil:
		fmt.Println("it has no answer")
	case sidecar.Bool:
		fmt.Println("approved:", bool(payload))
	case sidecar.Int:
		fmt.Println("count:", int64(payload))
	case sidecar.Float:
		fmt.Println("threshold:", float64(payload))
	case sidecar.Str:
		fmt.Println("it says", string(payload))
	}
}
