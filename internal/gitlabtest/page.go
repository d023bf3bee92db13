package gitlabtest

import (
	"encoding/json"
	"fmt"
	"net/http"
	"reflect"
	"strconv"
	"strings"
)

// write sends an answer; of a list, the page that was asked for.
func write(w http.ResponseWriter, r *http.Request, a answer) {
	if v := reflect.ValueOf(a.body); a.body != nil && v.Kind() == reflect.Slice {
		from, to := paginate(w, r, v.Len())
		a.body = v.Slice(from, to).Interface()
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(a.status)
	_ = json.NewEncoder(w).Encode(a.body)
}

// paginate says in the header which page of a list this is, and returns its bounds.
func paginate(w http.ResponseWriter, r *http.Request, total int) (from, to int) {
	query := r.URL.Query()
	number := func(key string, otherwise, most int) int {
		n, err := strconv.Atoi(query.Get(key))
		if err != nil || n < 1 {
			n = otherwise
		}
		return min(n, most)
	}
	size, page := number("per_page", 20, 100), number("page", 1, 1<<20)
	pages := max(1, (total+size-1)/size)
	from, to = min((page-1)*size, total), min(page*size, total)
	near := func(n int) string {
		if n < 1 || n > pages {
			return ""
		}
		return strconv.Itoa(n)
	}
	var links []string
	for _, l := range []struct {
		rel  string
		page int
	}{{"prev", page - 1}, {"next", page + 1}, {"first", 1}, {"last", pages}} {
		if near(l.page) == "" {
			continue
		}
		query.Set("page", strconv.Itoa(l.page))
		query.Set("per_page", strconv.Itoa(size))
		links = append(links, fmt.Sprintf("<http://%s%s?%s>; rel=%q", r.Host, r.URL.EscapedPath(), query.Encode(), l.rel))
	}
	for name, value := range map[string]string{
		"X-Page": strconv.Itoa(page), "X-Per-Page": strconv.Itoa(size), "X-Next-Page": near(page + 1), "X-Prev-Page": near(page - 1),
		"X-Total": strconv.Itoa(total), "X-Total-Pages": strconv.Itoa(pages), "Link": strings.Join(links, ", "),
	} {
		w.Header().Set(name, value)
	}
	return from, to
}
