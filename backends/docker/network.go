package docker

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"

	cerrdefs "github.com/containerd/errdefs"
	"github.com/docker/docker/api/types/filters"
	dockernet "github.com/docker/docker/api/types/network"

	"github.com/berthdev/berth/schema"
)

// The networks that a pod may ask for instead of the instance's own.
const (
	networkHost = "host"
	networkNone = "none"
)

// network is the instance's network, once it is known to exist.
type network struct {
	making sync.Mutex // held while it is made: engines allow several of one name
	mu     sync.Mutex
	known  bool
}

func (n *network) forget() {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.known = false
}

func (n *network) set(known bool) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.known = known
}

func (n *network) exists() bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.known
}

// ensureNetwork makes the instance's network unless it is there.
func (b *Backend) ensureNetwork(ctx context.Context) error {
	if b.net.exists() {
		return nil
	}
	b.net.making.Lock()
	defer b.net.making.Unlock()
	if b.net.exists() {
		return nil
	}
	name := networkName(b.instance)
	err := b.call(ctx, callTimeout, "make", "network "+name, func(ctx context.Context) error {
		found, err := b.lookupNetwork(ctx, name)
		if err != nil || len(found) == 1 {
			return err
		}
		if len(found) == 0 {
			_, err = b.api().NetworkCreate(ctx, name, dockernet.CreateOptions{
				Driver: "bridge", Labels: map[string]string{labelInstance: b.instance},
			})
			if err != nil && !cerrdefs.IsConflict(err) {
				return err
			}
			if found, err = b.lookupNetwork(ctx, name); err != nil {
				return err
			}
		}
		return b.onlyOne(ctx, found)
	})
	b.net.set(err == nil)
	return err
}

// onlyOne removes all but one of the networks that two processes made at the same
// time. The first that was made stays, unless only another one can: it has pods.
func (b *Backend) onlyOne(ctx context.Context, networks []dockernet.Summary) error {
	slices.SortFunc(networks, func(x, y dockernet.Summary) int {
		return cmp.Or(y.Created.Compare(x.Created), cmp.Compare(y.ID, x.ID))
	})
	left := len(networks)
	for _, n := range networks {
		if left <= 1 {
			return nil
		}
		err := b.api().NetworkRemove(ctx, n.ID)
		if err == nil || cerrdefs.IsNotFound(err) {
			left--
		}
	}
	if left != 1 {
		return fmt.Errorf("there are %d networks of that name", left)
	}
	return nil
}

// lookupNetwork returns the instance's network, if it is there. One of that name
// that Berth did not make is an error.
func (b *Backend) lookupNetwork(ctx context.Context, name string) ([]dockernet.Summary, error) {
	networks, err := b.api().NetworkList(ctx, dockernet.ListOptions{Filters: filters.NewArgs(filters.Arg("name", name))})
	if err != nil {
		return nil, err
	}
	var found []dockernet.Summary
	for _, n := range networks {
		switch { // the filter also finds names that only contain it
		case n.Name != name:
		case n.Labels[labelInstance] == b.instance:
			found = append(found, n)
		default:
			return nil, &schema.Error{
				Op: "use", Resource: "network " + name, Kind: schema.Waiting, Err: errors.New("Berth did not make it"),
				Hint: "remove or rename the network, or choose another instance name",
			}
		}
	}
	return found, nil
}

// missingNetwork tells whether the engine did not find the network, or several.
func missingNetwork(err error) bool {
	text := err.Error()
	return cerrdefs.IsNotFound(err) && strings.Contains(text, "network") || strings.Contains(text, "is ambiguous")
}
