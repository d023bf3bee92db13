// Command testapp is what the tests run in containers: a small HTTP server that
// behaves well or badly, as its flags say.
//
//	GET /          its version and its environment, as JSON
//	GET /healthz   200, or 503 while it is unwell
//	POST /unwell   makes it unwell
//	POST /exit     ends it with the code of the query's "code"
//	POST /print    prints the body, to standard error if the query has "stderr"
//
// "testapp healthcheck" asks /healthz, for the engine's health check.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/signal"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"time"
)

type app struct {
	addr       string
	delay      time.Duration // before it listens
	exitAfter  time.Duration // 0: never
	exitCode   int
	say        string
	unwell     bool
	ignoreTerm bool
	eats       bool
	sick       atomic.Bool
}

func main() {
	var a app
	flag.StringVar(&a.addr, "listen", envOr("LISTEN", ":8080"), "where it serves")
	flag.DurationVar(&a.delay, "delay", 0, "how long it waits before it serves")
	flag.DurationVar(&a.exitAfter, "exit-after", 0, "after what time it exits")
	flag.IntVar(&a.exitCode, "exit", -1, "exit with this code, at once or after -exit-after")
	flag.StringVar(&a.say, "say", "", "print this line at the start")
	flag.BoolVar(&a.unwell, "unwell", false, "answer health checks with an error")
	flag.BoolVar(&a.ignoreTerm, "ignore-term", false, "do not stop on SIGTERM")
	flag.BoolVar(&a.eats, "eat", false, "use more and more memory")
	flag.Parse()
	if flag.Arg(0) == "healthcheck" {
		os.Exit(healthcheck(a.addr))
	}
	os.Exit(a.run())
}

func envOr(key, fallback string) string {
	if v := os.Getenv(key); v != "" {
		return v
	}
	return fallback
}

func healthcheck(addr string) int {
	client := http.Client{Timeout: 5 * time.Second}
	resp, err := client.Get("http://127.0.0.1" + addr[strings.LastIndexByte(addr, ':'):] + "/healthz")
	if err != nil {
		fmt.Println(err)
		return 1
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		fmt.Println(resp.Status)
		return 1
	}
	return 0
}

// eat uses ever more memory, until somebody ends the process.
func eat() {
	var eaten [][]byte
	for {
		bite := make([]byte, 1<<20)
		for i := range bite {
			bite[i] = byte(i) // it only counts once it was written to
		}
		eaten = append(eaten, bite)
		if len(eaten)%16 == 0 {
			time.Sleep(time.Millisecond)
		}
	}
}

// run serves until it is told to end, and returns the exit code.
func (a *app) run() int {
	term := make(chan os.Signal, 1)
	signal.Notify(term, syscall.SIGTERM, syscall.SIGINT)
	if a.say != "" {
		fmt.Println(a.say)
	}
	if a.exitCode >= 0 {
		time.Sleep(a.exitAfter)
		return a.exitCode
	}
	if a.eats {
		eat()
	}
	time.Sleep(a.delay)
	a.sick.Store(a.unwell)

	exit := make(chan int, 1)
	server := &http.Server{Addr: a.addr, Handler: a.handler(exit), ReadHeaderTimeout: 10 * time.Second}
	go func() {
		if err := server.ListenAndServe(); !errors.Is(err, http.ErrServerClosed) {
			fmt.Fprintln(os.Stderr, err)
			exit <- 1
		}
	}()
	fmt.Println("serving", os.Getenv("BERTH_RELEASE"))
	for {
		select {
		case code := <-exit:
			return code
		case <-term:
			if a.ignoreTerm {
				continue
			}
			ctx, cancel := context.WithTimeout(context.Background(), time.Second)
			defer cancel()
			if err := server.Shutdown(ctx); err != nil {
				return 1
			}
			return 0
		}
	}
}

func (a *app) handler(exit chan<- int) http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /{$}", func(w http.ResponseWriter, _ *http.Request) {
		env := map[string]string{}
		for _, kv := range os.Environ() {
			key, value, _ := strings.Cut(kv, "=")
			env[key] = value
		}
		host, err := os.Hostname()
		if err != nil {
			host = "unknown"
		}
		w.Header().Set("Content-Type", "application/json")
		_ = json.NewEncoder(w).Encode(map[string]any{ // the client has gone if this fails
			"version": os.Getenv("BERTH_RELEASE"), "env": env, "host": host, "uid": os.Getuid(),
		})
	})
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) {
		if a.sick.Load() {
			http.Error(w, "unwell", http.StatusServiceUnavailable)
		}
	})
	mux.HandleFunc("POST /unwell", func(http.ResponseWriter, *http.Request) { a.sick.Store(true) })
	mux.HandleFunc("POST /exit", func(w http.ResponseWriter, r *http.Request) {
		code, err := strconv.Atoi(r.URL.Query().Get("code"))
		if err != nil {
			code = 1
		}
		_ = http.NewResponseController(w).Flush() // whoever asked knows before it ends
		exit <- code
	})
	mux.HandleFunc("POST /print", func(w http.ResponseWriter, r *http.Request) {
		to := os.Stdout
		if r.URL.Query().Has("stderr") {
			to = os.Stderr
		}
		if _, err := io.Copy(to, r.Body); err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
		}
	})
	return mux
}
