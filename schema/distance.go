package schema

// maxDistance bounds the texts that are compared: of two that are as long as this
// where they differ, nobody meant the other.
const maxDistance = 64

// A distances row holds how far a beginning of one text is from those of another.
type distances [maxDistance]int32

// Distance counts the bytes that must be added, removed, replaced or swapped with
// their neighbour to make b of a (the optimal string alignment distance). Where
// they are more than limit, it stops counting and returns limit+1; so it does for
// texts that differ throughout 64 bytes.
func Distance(a, b string, limit int) int {
	if len(a) < len(b) {
		a, b = b, a
	}
	if len(a)-len(b) > limit {
		return limit + 1
	}
	for len(b) > 0 && a[0] == b[0] {
		a, b = a[1:], b[1:]
	}
	for len(b) > 0 && a[len(a)-1] == b[len(b)-1] {
		a, b = a[:len(a)-1], b[:len(b)-1]
	}
	if len(b) >= maxDistance {
		return limit + 1
	}
	var rows [3]distances
	before, row, next := &rows[0], &rows[1], &rows[2]
	for j := range len(b) + 1 {
		row[j] = int32(j)
	}
	for i := range len(a) {
		next[0] = int32(i + 1)
		least := next[0]
		for j := range len(b) {
			d := row[j]
			if a[i] != b[j] {
				d = 1 + min(d, next[j], row[j+1])
				if i > 0 && j > 0 && a[i] == b[j-1] && a[i-1] == b[j] {
					d = min(d, before[j-1]+1)
				}
			}
			next[j+1] = d
			least = min(least, d)
		}
		// A swap looks back at the row before: it is at most one less than this one.
		if int(least) > limit {
			return limit + 1
		}
		before, row, next = row, next, before
	}
	return min(int(row[len(b)]), limit+1)
}
