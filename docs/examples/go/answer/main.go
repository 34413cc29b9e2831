package main

import (
	"context"
	"fmt"
	"log"

	sidecar "github.com/flyte-sidecar/flyte-sidecar/clients/go"
)

func main() {
	if err := answer(context.Background()); err != nil {
		log.Fatal(err)
	}
}

func answer(ctx context.Context) error {
	client, err := sidecar.Start(ctx, sidecar.Options{})
	if err != nil {
		return err
	}
	defer client.Close()
	for event, err := range client.Events.PendingAll(ctx, sidecar.PendingParams{}) {
		if err != nil {
			return err
		}
		fmt.Println(event.RunName, event.Name, event.Prompt)
	}
	answered, err := client.Events.Signal(ctx, sidecar.SignalParams{
		RunName: "r1", Name: "deploy", Payload: sidecar.Bool(true),
	})
	if err != nil {
		return err
	}
	fmt.Println(answered.Phase, answered.Payload)
	return nil
}
