package webhook

import (
	"errors"
	"io"
	"net/http"
	"time"
)

const (
	// smallBody is how much of a body is read without a slot, in bytes. Most honest
	// deliveries are smaller.
	smallBody = 64 << 10
	// largeBodies is how many bodies over smallBody are held at once: anybody
	// can send one, for its signature can be checked only at its end.
	largeBodies = 8
	// largeWait is how long such a body waits for its turn.
	largeWait = 5 * time.Second
)

// read reads the body. done gives up what it holds; it is never nil.
func (h *Handler) read(w http.ResponseWriter, r *http.Request) (body []byte, done func(), err error) {
	done = func() {}
	if r.ContentLength > MaxBody {
		return nil, done, errTooLarge
	}
	capped := http.MaxBytesReader(w, r.Body, MaxBody)
	body, err = io.ReadAll(io.LimitReader(capped, smallBody))
	if err != nil || len(body) < smallBody {
		return body, done, bodyError(err)
	}
	wait := time.NewTimer(largeWait)
	defer wait.Stop()
	select {
	case h.large <- struct{}{}:
		done = func() { <-h.large }
	case <-wait.C:
		return nil, done, errBusy
	case <-r.Context().Done():
		return nil, done, errBody
	}
	rest, err := io.ReadAll(capped)
	return append(body, rest...), done, bodyError(err)
}

func bodyError(err error) error {
	var tooLarge *http.MaxBytesError
	switch {
	case err == nil:
		return nil
	case errors.As(err, &tooLarge):
		return errTooLarge
	default:
		return errBody
	}
}
