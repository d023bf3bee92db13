package desired

import "slices"

// cycles returns, for each deployment that can be reached from the roots, the
// deployments that it forms a cycle with, itself among them, sorted; nothing
// for one that is in no cycle. These are the strongly connected components, by
// Tarjan's algorithm with a stack of its own: a chain may be long.
func cycles(roots []string, dependsOn func(string) []string) map[string][]string {
	t := tarjan{index: map[string]int{}, low: map[string]int{}, onStack: map[string]bool{}, found: map[string][]string{}}
	for _, root := range roots {
		if t.index[root] == 0 {
			t.visit(root, dependsOn)
		}
	}
	return t.found
}

type tarjan struct {
	index, low map[string]int // from 1; 0: not seen
	onStack    map[string]bool
	stack      []string
	found      map[string][]string
}

// A frame is a node that is being visited, and the edges that are left of it.
type frame struct {
	node string
	rest []string
}

func (t *tarjan) visit(root string, dependsOn func(string) []string) {
	frames := []frame{t.enter(root, dependsOn)}
	for len(frames) > 0 {
		top := &frames[len(frames)-1]
		if len(top.rest) > 0 {
			next := top.rest[0]
			top.rest = top.rest[1:]
			if t.index[next] == 0 {
				frames = append(frames, t.enter(next, dependsOn))
			} else if t.onStack[next] {
				t.low[top.node] = min(t.low[top.node], t.index[next])
			}
			continue
		}
		t.leave(top.node, slices.Contains(dependsOn(top.node), top.node))
		frames = frames[:len(frames)-1]
		if len(frames) > 0 {
			parent := frames[len(frames)-1].node
			t.low[parent] = min(t.low[parent], t.low[top.node])
		}
	}
}

func (t *tarjan) enter(node string, dependsOn func(string) []string) frame {
	t.index[node] = len(t.index) + 1
	t.low[node] = t.index[node]
	t.stack = append(t.stack, node)
	t.onStack[node] = true
	return frame{node, dependsOn(node)}
}

// leave closes a node whose edges were all followed; where it is the first of
// its component, the component is on top of the stack.
func (t *tarjan) leave(node string, onItself bool) {
	t.found[node] = nil
	if t.low[node] != t.index[node] {
		return
	}
	at := len(t.stack) - 1
	for t.stack[at] != node {
		at--
	}
	members := slices.Sorted(slices.Values(t.stack[at:]))
	t.stack = t.stack[:at]
	for _, m := range members {
		t.onStack[m] = false
		if len(members) > 1 || onItself {
			t.found[m] = members
		}
	}
}
