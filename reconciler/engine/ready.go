package engine

import "fmt"

// Ready tells whether the engine knows what shall run and what runs: the desired
// state was read, and every backend that answers was listed. If not, it says
// what is missing.
func (e *Engine) Ready() (ok bool, why string) {
	v := e.View()
	if v.State == nil {
		return false, "the desired state was not read yet"
	}
	known := 0
	for _, b := range v.Backends {
		if b.Known {
			known++
			continue
		}
		why = fmt.Sprintf("backend %s: %s", b.Name, b.Problem)
	}
	if known == 0 && len(v.Backends) > 0 {
		return false, why
	}
	return true, ""
}
