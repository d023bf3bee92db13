package docker

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"sync"
	"time"

	dockerimage "github.com/docker/docker/api/types/image"
)

const (
	defaultPullTimeout = 30 * time.Minute
	// tellEvery is the least time between two reports of a pull's progress.
	tellEvery = time.Second
)

// A pull is one pull of an image, which all who want the image wait for. It ends
// when nobody waits any more.
type pull struct {
	cancel context.CancelFunc
	done   chan struct{}
	err    error // once done

	mu      sync.Mutex
	waiting map[*func(string)]struct{}
}

// pull pulls an image, or waits for the pull that is under way.
func (b *Backend) pull(ctx context.Context, ref string, tell func(string)) error {
	p := b.joinPull(ref, &tell)
	select {
	case <-p.done:
		return p.err
	case <-ctx.Done():
		b.leavePull(ref, p, &tell)
		return pullError(ref, ctx.Err())
	}
}

func (b *Backend) joinPull(ref string, tell *func(string)) *pull {
	im := &b.images
	im.mu.Lock()
	defer im.mu.Unlock()
	p := im.pulls[ref]
	if p == nil {
		limit := defaultPullTimeout
		if b.cfg.PullTimeout != nil {
			limit = time.Duration(*b.cfg.PullTimeout)
		}
		ctx, cancel := context.WithTimeout(im.ctx, limit)
		p = &pull{cancel: cancel, done: make(chan struct{}), waiting: map[*func(string)]struct{}{}}
		im.pulls[ref] = p
		im.running.Add(1)
		go func() {
			defer im.running.Done()
			defer cancel()
			p.err = b.pullOnce(ctx, ref, p.tell)
			im.forget(ref, p)
			close(p.done)
		}()
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.waiting[tell] = struct{}{}
	return p
}

func (b *Backend) leavePull(ref string, p *pull, tell *func(string)) {
	p.mu.Lock()
	delete(p.waiting, tell)
	alone := len(p.waiting) == 0
	p.mu.Unlock()
	if alone {
		b.images.forget(ref, p) // whoever comes next begins anew
		p.cancel()
	}
}

func (im *images) forget(ref string, p *pull) {
	im.mu.Lock()
	defer im.mu.Unlock()
	if im.pulls[ref] == p {
		delete(im.pulls, ref)
	}
}

// wait ends all pulls and waits for them.
func (im *images) wait() {
	im.cancel()
	im.mu.Lock()   // whoever is about to begin one has begun it then
	im.mu.Unlock() //nolint:staticcheck // the section is empty on purpose
	im.running.Wait()
}

func (p *pull) tell(detail string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for tell := range p.waiting {
		(*tell)(detail)
	}
}

// pullOnce has the engine pull the image and reads its progress to the end.
func (b *Backend) pullOnce(ctx context.Context, ref string, tell func(string)) error {
	auth, err := b.credentials(ctx, ref)
	if err != nil {
		return err
	}
	before := ""
	if b.cfg.PruneImages {
		if found, err := b.inspectImage(ctx, ref); err == nil {
			before = found.ID
		}
	}
	if err := b.api().negotiate(ctx); err != nil {
		return pullError(ref, err)
	}
	body, err := b.api().ImagePull(ctx, ref, dockerimage.PullOptions{RegistryAuth: auth})
	if err != nil {
		return pullError(ref, err)
	}
	defer body.Close()
	if err := b.follow(body, ref, tell); err != nil {
		return pullError(ref, err)
	}
	if b.cfg.PruneImages {
		return b.mark(ctx, ref, before)
	}
	return nil
}

// A pullMessage is one line of a pull's progress.
type pullMessage struct {
	ID             string `json:"id"`
	Status         string `json:"status"`
	ProgressDetail struct {
		Current int64 `json:"current"`
		Total   int64 `json:"total"`
	} `json:"progressDetail"`
	ErrorDetail *struct {
		Message string `json:"message"`
	} `json:"errorDetail"`
}

// follow reads the progress of a pull and tells it now and then.
func (b *Backend) follow(body io.Reader, ref string, tell func(string)) error {
	const mostLayers = 1000
	type layer struct{ current, total int64 }
	layers := map[string]layer{}
	var told time.Time
	for messages := json.NewDecoder(body); ; {
		var m pullMessage
		switch err := messages.Decode(&m); {
		case errors.Is(err, io.EOF):
			return nil
		case err != nil:
			return err
		case m.ErrorDetail != nil:
			return errors.New(m.ErrorDetail.Message)
		}
		l, known := layers[m.ID]
		switch {
		case m.ID == "" || !known && len(layers) >= mostLayers:
			continue
		case m.Status == "Downloading" && m.ProgressDetail.Total > 0:
			l = layer{m.ProgressDetail.Current, m.ProgressDetail.Total}
		case m.Status == "Download complete", m.Status == "Pull complete":
			l.current = l.total
		}
		layers[m.ID] = l
		now := b.opts.Now()
		if now.Sub(told) < tellEvery {
			continue
		}
		var sum layer
		for _, l := range layers {
			sum.current, sum.total = sum.current+l.current, sum.total+l.total
		}
		if sum.total > 0 {
			told = now
			tell(fmt.Sprintf("%s, %d%% of %d MB", ref, sum.current*100/sum.total, (sum.total+999_999)/1_000_000))
		}
	}
}
