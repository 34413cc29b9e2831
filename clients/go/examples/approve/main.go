// Command approve approves the pending events whose names match a pattern, until it is interrupted.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"log"
	"os"
	"os/signal"
	"path"

	sidecar "github.com/flyte-sidecar/flyte-sidecar/clients/go"
)

func main() {
	pattern := flag.String("name", "deploy*", "approve the events whose names match this `pattern`")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	err := approve(ctx, *pattern)
	stop()
	if err != nil && !errors.Is(err, context.Canceled) {
		log.Fatal(err)
	}
}

func approve(ctx context.Context, pattern string) error {
	if _, err := path.Match(pattern, ""); err != nil {
		return fmt.Errorf("-name %s: %w", pattern, err)
	}
	client, err := sidecar.Start(ctx, sidecar.Options{Stderr: os.Stderr})
	if err != nil {
		return err
	}
	defer client.Close()
	for notification, err := range client.Events.Watch(ctx, sidecar.WatchParams{}) {
		if err != nil {
			return err
		}
		changed, ok := notification.(*sidecar.EventChanged)
		if !ok || changed.Change != sidecar.ChangeCreated || changed.Event.ExpectedType != sidecar.ExpectedTypeBool {
			continue
		}
		event := changed.Event
		if matches, _ := path.Match(pattern, event.Name); !matches {
			continue
		}
		answer := sidecar.SignalParams{
			Org: event.Org, Project: event.Project, Domain: event.Domain,
			RunName: event.RunName, ActionName: event.ActionName, Payload: sidecar.Bool(true),
		}
		if _, err := client.Events.Signal(ctx, answer); err != nil {
			log.Print(err) // for example, it was answered in the meantime
			continue
		}
		fmt.Printf("approved %s of %s: %s\n", event.Name, event.RunName, event.Prompt)
	}
	return nil
}
