package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"time"

	"github.com/spf13/cobra"
)

const (
	demoPort      = "8080"
	demoCheckPath = "/healthz" // asked twice a second: it is not logged
)

// newDemoApp is the app that "berth demo" runs: the executable itself, in an
// image that holds nothing else.
func newDemoApp(c console) *cobra.Command {
	var check, broken bool
	cmd := &cobra.Command{
		Use:    "demo-app",
		Short:  "The app that the demo runs in its containers",
		Hidden: true,
		Args:   noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			switch {
			case check:
				return checkDemoApp(cmd.Context())
			case broken:
				fmt.Fprintln(c.err, "loading the model") // where the error goes: engines mix up two streams
				return errors.New("/models/nuclei.h5: there is no such file")
			}
			return serveDemoApp(cmd.Context(), c)
		},
	}
	cmd.Flags().BoolVar(&check, "check", false, "ask the app on this machine whether it is well")
	cmd.Flags().BoolVar(&broken, "broken", false, "fail, as an app does that misses a file")
	return cmd
}

func serveDemoApp(ctx context.Context, c console) error {
	greeting := fmt.Sprintf("%s: release %s, flavour %s, for %s\n", os.Getenv("BERTH_DEPLOYMENT"),
		os.Getenv("BERTH_RELEASE"), os.Getenv("BERTH_FLAVOUR"), os.Getenv("BERTH_USER"))
	server := &http.Server{
		Addr: ":" + demoPort,
		Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			fmt.Fprint(w, greeting)
			if r.URL.Path != demoCheckPath {
				fmt.Fprintf(c.out, "%s %s answered\n", r.Method, r.URL.Path)
			}
		}),
		ReadHeaderTimeout: 5 * time.Second,
	}
	stop := context.AfterFunc(ctx, func() { _ = server.Close() })
	defer stop()
	fmt.Fprint(c.out, greeting)
	if err := server.ListenAndServe(); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}

func checkDemoApp(ctx context.Context) error {
	body, err := fetchText(ctx, "http://127.0.0.1:"+demoPort+demoCheckPath)
	if err == nil && body == "" {
		err = errors.New("the app answers nothing")
	}
	return err
}
