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

// A token is used to its end as long as there is no other.
func TestAnOldTokenIsUsedToItsEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		i := &installation{busy: make(chan struct{}, 1)}
		asked := 0
		var fails error
		expect := func(want string, times int) {
			t.Helper()
			got, err := i.token(t.Context(), func() (string, time.Duration, error) {
				asked++
				return fmt.Sprint("token ", asked), time.Hour, fails
			})
			if got != want || (err != nil) != (want == "") || asked != times {
				t.Errorf("%q after asking %d times: %v", got, asked, err)
			}
		}
		expect("token 1", 1)
		fails = errors.New("away")
		time.Sleep(55 * time.Minute)
		expect("token 1", 2)
		time.Sleep(renewal - 1) // it is not asked at each request
		expect("token 1", 2)
		time.Sleep(time.Nanosecond)
		expect("token 1", 3)
		time.Sleep(5*time.Minute - renewal - time.Second)
		expect("token 1", 4)
		time.Sleep(time.Second)
		expect("", 5)
		fails = nil
		expect("token 6", 6)

		fails = errors.New("away")
		time.Sleep(57 * time.Minute)
		i.forget("token 6") // what was refused is of no use any more
		expect("", 7)
	})
}
