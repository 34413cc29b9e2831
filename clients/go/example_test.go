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
		fmt.Println("already answered otherwise")
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

	for notification, err := range client.Events.Watch(ctx, sidecar.WatchParams{RunName: "r1"}) {
		if err != nil {
			fmt.Println(err) // for example: the hour is over
			return
		}
		switch n := notification.(type) {
		case *sidecar.EventChanged:
			fmt.Println(n.Change, n.Event.Name)
		case *sidecar.WatchSynced:
			fmt.Println("all current events have been reported")
		case *sidecar.WatchResult:
			fmt.Println("the watch ended:", n.Reason)
		}
	}
}

func ExampleError() {
	var client *sidecar.Client // as in the package example

	_, err := client.Events.Wait(context.Background(), sidecar.WaitParams{RunName: "r1", Name: "deploy"})
	var sidecarErr *sidecar.Error
	switch {
	case errors.Is(err, sidecar.KindAmbiguousEvent) && errors.As(err, &sidecarErr):
		for _, event := range sidecarErr.Data.Candidates {
			fmt.Println(event.ActionName, event.Parent)
		}
	case errors.Is(err, sidecar.KindDisconnected):
		fmt.Println("the sidecar crashed:", err)
	}
}

func ExamplePayload() {
	var event *sidecar.Event // as returned by client.Events.Get

	switch payload := event.Payload.(type) {
	case nil:
		fmt.Println("not answered yet")
	case sidecar.Bool:
		fmt.Println("approved:", bool(payload))
	case sidecar.Int:
		fmt.Println("count:", int64(payload))
	case sidecar.Float:
		fmt.Println("threshold:", float64(payload))
	case sidecar.Str:
		fmt.Println("text:", string(payload))
	}
}
