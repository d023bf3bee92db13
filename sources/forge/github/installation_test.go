package github

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// A token is used until shortly before its end, and one caller at a time asks for
// the next.
func TestInstallation(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		i := &installation{busy: make(chan struct{}, 1)}
		var asked atomic.Int32
		var fails error
		lasts := time.Hour
		token := func(ctx context.Context) (string, error) {
			return i.token(ctx, func() (string, time.Duration, error) {
				n := asked.Add(1)
				time.Sleep(time.Second) // the forge takes its time
				return fmt.Sprint("token ", n), lasts, fails
			})
		}
		expect := func(want string, times int32) {
			t.Helper()
			if got, err := token(t.Context()); got != want || err != nil || asked.Load() != times {
				t.Errorf("%q after asking %d times: %v", got, asked.Load(), err)
			}
		}
		expect("token 1", 1)
		time.Sleep(54 * time.Minute)
		expect("token 1", 1)
		time.Sleep(time.Minute)
		expect("token 2", 2)

		lasts = 4 * time.Minute // shorter than what is kept in reserve
		time.Sleep(time.Hour)
		expect("token 3", 3)
		time.Sleep(time.Minute)
		expect("token 3", 3)
		time.Sleep(2 * time.Minute)
		expect("token 4", 4)

		time.Sleep(time.Hour)
		fails = errors.New("away")
		results := make(chan error)
		for range 3 {
			go func() {
				_, err := token(t.Context())
				results <- err
			}()
		}
		synctest.Wait()
		ctx, cancel := context.WithTimeout(t.Context(), time.Millisecond)
		defer cancel()
		if _, err := token(ctx); !errors.Is(err, context.DeadlineExceeded) || asked.Load() != 5 {
			t.Errorf("who waits for another ends with %v, asked %d times", err, asked.Load())
		}
		for range 3 {
			if err := <-results; !errors.Is(err, fails) {
				t.Errorf("error %v", err)
			}
		}
		fails = nil
		expect("token 8", 8)
	})
}
