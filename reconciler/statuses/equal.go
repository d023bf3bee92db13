package statuses

import (
	"strings"

	"github.com/berthdev/berth/sources/forge"
)

// same tells whether what a forge tells may be what it was told: forges shorten
// descriptions, and GitLab has no error, only failures.
func same(told, has forge.Status) bool {
	if told.Context != has.Context || told.URL != has.URL {
		return false
	}
	if told.State != has.State && (told.State != forge.Error || has.State != forge.Failure) {
		return false
	}
	beginning, cut := strings.CutSuffix(has.Description, "…")
	return told.Description == has.Description || cut && strings.HasPrefix(told.Description, beginning)
}

// fits tells whether the forge has what was said last.
func (k *key) fits() bool {
	return k.known && (k.has == k.want || k.hearsay && same(k.want, k.has))
}

// found takes in what the forge said that it has of a context.
func (k *key) found(st forge.Status) {
	k.known, k.has, k.hearsay = true, st, true
	k.count = max(k.count, 1)
}
