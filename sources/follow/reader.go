package follow

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"runtime"
	"runtime/debug"
	"slices"
	"sync/atomic"

	"github.com/prometheus/client_golang/prometheus"
	"golang.org/x/sync/errgroup"

	"github.com/berthdev/berth/schema"
	"github.com/berthdev/berth/sources"
)

// maxText bounds the text of the files that one snapshot brings, in bytes: a
// small pack can unfold into much.
const maxText = 64 << 20

// A reading is what one file says, or why it cannot be read.
type reading[T any] struct {
	value      T
	raw        []byte // its text, if it has errors
	unreadable string // empty: it could be read
}

// A reader reads and parses files. What has the same path and content is not
// read again, whatever repository it stands in.
type reader[T any] struct {
	parse    func(path string, data []byte) T
	problems func(T) schema.Problems
	cache    *cache[T]
	slots    chan struct{} // shared by all readers: as many as there are CPUs
	most     int64         // bytes that one snapshot may bring
	parsed   prometheus.Counter
	logger   *slog.Logger
}

// beside returns a reader that shares what is remembered with this one, but takes
// no slot from it.
func (r *reader[T]) beside() *reader[T] {
	other := *r
	other.slots = make(chan struct{}, 1)
	return &other
}

func newSlots() chan struct{} { return make(chan struct{}, runtime.GOMAXPROCS(0)) }

// read reads files of a tree, in parallel. What is wrong with one file is told
// in its reading; an error means that the repository itself cannot be read.
func (r *reader[T]) read(ctx context.Context, tree sources.Tree, files []sources.Change) ([]reading[T], error) {
	out := make([]reading[T], len(files))
	var text atomic.Int64
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(cap(r.slots))
	for i, f := range files {
		key := fileKey{f.Path, f.After}
		if known, ok := r.cache.get(key); ok {
			out[i] = known
			continue
		}
		group.Go(func() (err error) {
			select {
			case r.slots <- struct{}{}:
				defer func() { <-r.slots }()
			case <-ctx.Done():
				return ctx.Err()
			}
			out[i], err = r.readOne(ctx, tree, key, &text)
			return err
		})
	}
	return out, group.Wait()
}

// readOne reads one file and adds its length to the text.
func (r *reader[T]) readOne(ctx context.Context, tree sources.Tree, key fileKey, text *atomic.Int64) (reading[T], error) {
	data, err := tree.Read(ctx, key.blob, sources.MaxFileSize)
	if err != nil {
		var known *schema.Error
		if errors.As(err, &known) && known.Kind == schema.Invalid {
			return reading[T]{unreadable: fmt.Sprintf("it cannot be read: %v", known.Err)}, nil
		}
		return reading[T]{}, fmt.Errorf("%s: %w", key.path, err)
	}
	if text.Add(int64(len(data))) > r.most {
		return reading[T]{}, &schema.Error{
			Op: "read", Kind: schema.Invalid, Hint: "split the repository, or name fewer files with paths",
			Err: fmt.Errorf("its files hold more than %s of text", schema.Bytes(r.most)),
		}
	}
	out := r.parseOne(key.path, data)
	if out.unreadable == "" {
		r.cache.put(key, out, len(data))
	}
	return out, nil
}

// parseOne parses a file. A panic is a bug, but stops nothing but that file.
func (r *reader[T]) parseOne(path string, data []byte) (out reading[T]) {
	defer func() {
		if p := recover(); p != nil {
			r.logger.Error("reading a file panicked", "file", path, "panic", fmt.Sprint(p), "stack", string(debug.Stack()))
			out = reading[T]{unreadable: fmt.Sprintf("reading it failed by a bug of Berth's: %v", p)}
		}
	}()
	r.parsed.Inc()
	out.value = r.parse(path, data)
	if len(r.problems(out.value).Errors()) > 0 {
		out.raw = slices.Clip(data)
	}
	return out
}
