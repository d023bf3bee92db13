package follow

// WakeSource makes the source of this name be asked soon; false when none is
// followed under it.
func (h *Hub) WakeSource(name string) bool {
	for _, s := range h.Sources() {
		if s.Name == name {
			return h.Wake(s.URL, "") > 0
		}
	}
	return false
}
