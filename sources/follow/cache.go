package follow

import (
	"container/list"
	"sync"

	"github.com/berthdev/berth/sources"
)

const (
	// cacheSize bounds the text of the files whose parse is remembered, in
	// bytes. What is in use is shared with the cache and costs nothing more.
	cacheSize = 8 << 20
	// entryCost is what an entry counts besides its text.
	entryCost = 256
)

// A cache remembers what files say, the most recently used ones. The path is
// part of the key, for it stands in positions.
type cache[T any] struct {
	mu      sync.Mutex
	entries map[fileKey]*list.Element
	recent  *list.List // of *entry[T], the most recently used first
	size    int
}

type fileKey struct {
	path string
	blob sources.Hash
}

type entry[T any] struct {
	key   fileKey
	value reading[T]
	cost  int
}

func newCache[T any]() *cache[T] {
	return &cache[T]{entries: map[fileKey]*list.Element{}, recent: list.New()}
}

func (c *cache[T]) get(key fileKey) (reading[T], bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	at, ok := c.entries[key]
	if !ok {
		return reading[T]{}, false
	}
	c.recent.MoveToFront(at)
	return at.Value.(*entry[T]).value, true
}

// put remembers a file whose text has so many bytes.
func (c *cache[T]) put(key fileKey, value reading[T], length int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if _, ok := c.entries[key]; ok {
		return // another source read the same file meanwhile
	}
	e := &entry[T]{key: key, value: value, cost: length + entryCost}
	c.entries[key] = c.recent.PushFront(e)
	c.size += e.cost
	for c.size > cacheSize {
		oldest := c.recent.Remove(c.recent.Back()).(*entry[T])
		delete(c.entries, oldest.key)
		c.size -= oldest.cost
	}
}
