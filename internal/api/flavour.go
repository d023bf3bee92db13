package api

import (
	"cmp"
	"maps"
	"slices"
	"strings"

	"github.com/berthdev/berth/reconciler/planner"
	"github.com/berthdev/berth/schema"
	"github.com/berthdev/berth/sources/catalog"
)

// flavour resolves Flavour.
type flavour struct {
	w *world
	r *catalog.Release
	f *schema.Flavour
}

func (f flavour) ID() id              { return id(f.r.Identifier + "@" + f.r.Version + "/" + f.f.Name) }
func (f flavour) Name() string        { return f.f.Name }
func (f flavour) Release() release    { return *one(f.w, release{f.w, f.r}) }
func (f flavour) Description() string { return f.w.meter.takeText(f.f.Description) }
func (f flavour) Image() string       { return f.w.meter.takeText(f.f.Image) }
func (f flavour) Priority() int32     { return count(f.f.Priority) }
func (f flavour) Command() []string   { return f.w.texts(f.f.Command) }
func (f flavour) Args() []string      { return f.w.texts(f.f.Args) }
func (f flavour) Env() []string       { return f.w.texts(slices.Sorted(maps.Keys(f.f.Env))) }
func (f flavour) Size() *byteCount {
	return orNone(f.f.Size, func(b schema.Bytes) byteCount { return byteCount(b) })
}

func (f flavour) Ports() []string {
	out := make([]string, len(f.f.Ports))
	for i, p := range f.f.Ports {
		out[i] = p.String()
	}
	return f.w.texts(out)
}

func (f flavour) Volumes() []string {
	out := make([]string, len(f.f.Volumes))
	for i, v := range f.f.Volumes {
		out[i] = volumeText(v)
	}
	return f.w.texts(out)
}

// volumeText renders a volume as it would be written.
func volumeText(v schema.Volume) string {
	from := cmp.Or(v.Name, v.Host)
	if v.Tmpfs {
		from = "tmpfs"
	}
	if v.ReadOnly {
		return from + ":" + v.Path + ":ro"
	}
	return from + ":" + v.Path
}

func (f flavour) Selectors() []selector {
	f.w.meter.takeObjects(len(f.f.Selectors))
	out := make([]selector, len(f.f.Selectors))
	for i := range out {
		out[i] = selector{&f.f.Selectors[i]}
	}
	return out
}

func (f flavour) Requirements() []requirement {
	f.w.meter.takeObjects(len(f.f.Requirements))
	out := make([]requirement, len(f.f.Requirements))
	for i := range out {
		out[i] = requirement{f.w, &f.f.Requirements[i]}
	}
	return out
}

func (f flavour) Definitions() []definition { return definitionsOf(f.w, f.f.Definitions) }

func (f flavour) Deployments(args paging) (*connection[deployment], error) {
	return f.w.listDeployments(f.running(), nil, nil, nil, args)
}

func (f flavour) running() []entry {
	var out []entry
	for _, e := range f.w.index.ofApp(f.r.Identifier) {
		if runs(e.s, f.r) && e.s.Flavour == f.f.Name {
			out = append(out, e)
		}
	}
	return out
}

// flavours are listed by release, then by preference.
var flavours = noun[flavour]{
	name: "flavour", usual: "APP",
	orders: map[string]order[flavour]{
		"APP":   compareFlavours,
		"NAME":  func(a, b flavour) int { return cmp.Or(strings.Compare(a.f.Name, b.f.Name), compareFlavours(a, b)) },
		"IMAGE": func(a, b flavour) int { return cmp.Or(strings.Compare(a.f.Image, b.f.Image), compareFlavours(a, b)) },
	},
	mark: func(f flavour) []string {
		return append([]string{f.f.Name, f.f.Image, markInt(f.f.Priority)}, markRelease(f.r)...)
	},
	probe: func(w *world, left []string) (flavour, bool) {
		m := marks{left: left}
		f := &schema.Flavour{Name: m.text(), Image: m.text(), Priority: m.int()}
		return flavour{w, m.release(), f}, m.ok()
	},
}

func compareFlavours(a, b flavour) int {
	return cmp.Or(compareReleases(a.r, b.r), cmp.Compare(a.f.Priority, b.f.Priority), strings.Compare(a.f.Name, b.f.Name))
}

type flavourFilter struct {
	App, Version, Name, Repo, Image, Selector *[]string
	Running                                   *[]bool
	Not                                       *flavourFilter
}

func (f *flavourFilter) filter(depth int) (filter[flavour], error) {
	if f == nil {
		return filter[flavour]{}, nil
	}
	var c conditions[flavour]
	c.text("app", f.App, func(f flavour) string { return f.r.Identifier })
	c.text("version", f.Version, func(f flavour) string { return f.r.Version })
	c.text("name", f.Name, flavour.Name)
	c.text("repo", f.Repo, func(f flavour) string { return f.r.Repo })
	c.text("image", f.Image, func(f flavour) string { return f.f.Image })
	c.texts("selector", f.Selector, func(f flavour) []string { return kindsOf(f.f.Selectors) })
	c.flag("running", f.Running, func(f flavour) bool { return len(f.running()) > 0 })
	if f.Not != nil {
		c.not(depth, f.Not.filter)
	}
	return c.filter()
}

func (w *world) listFlavours(f *flavourFilter, words *string, by *orderBy, p paging) (*connection[flavour], error) {
	keep, err := f.filter(0)
	if err != nil {
		return nil, err
	}
	if keep, err = search(keep, words, func(f flavour) []string {
		return []string{f.r.Identifier, f.r.Version, f.r.Name, f.f.Name, f.f.Description, f.f.Image}
	}); err != nil {
		return nil, err
	}
	return flavours.page(w, w.allFlavours(by), keep, by, p)
}

// allFlavours returns the flavours of the releases that count, in an order that
// is kept for all queries.
func (w *world) allFlavours(by *orderBy) listing[flavour] {
	in := flavours.usual
	if by != nil {
		in = by.By
	}
	i := w.catalog
	sorted := i.flavours[in].get(func() []flavour {
		var out []flavour
		for _, a := range i.of.Apps() {
			for _, r := range a.Releases {
				for n := range r.Flavours {
					out = append(out, flavour{r: r, f: &r.Flavours[n]})
				}
			}
		}
		slices.SortFunc(out, flavours.orders[in])
		return out
	})
	return all(sorted, in, func(f flavour) flavour { return flavour{w, f.r, f.f} })
}

// texts counts texts whose length others chose.
func (w *world) texts(all []string) []string {
	for _, text := range all {
		w.meter.takeText(text)
	}
	return all
}

// selector resolves Selector.
type selector struct{ s *schema.Selector }

func (s selector) Kind() string         { return enum(s.s.Kind) }
func (s selector) Text() string         { return planner.Describe(*s.s) }
func (s selector) Required() bool       { return s.s.Required }
func (s selector) Weight() int32        { return count(s.s.Weight) }
func (s selector) Version() string      { return s.s.Version }
func (s selector) Capability() string   { return s.s.Capability }
func (s selector) Architecture() string { return s.s.Architecture }
func (s selector) Cores() int32         { return count(s.s.Cores) }
func (s selector) Count() int32         { return count(s.s.Count) }
func (s selector) Frequency() int32     { return count(s.s.Frequency) }
func (s selector) Memory() byteCount    { return byteCount(s.s.Memory) }
func (s selector) Key() string          { return s.s.Key }
func (s selector) Name() string         { return s.s.Name }
func (s selector) Value() string        { return s.s.Value }

// requirement resolves Requirement.
type requirement struct {
	w *world
	r *schema.Requirement
}

func (r requirement) Key() string         { return r.r.Key }
func (r requirement) Service() string     { return r.r.Service }
func (r requirement) Optional() bool      { return r.r.Optional }
func (r requirement) Description() string { return r.w.meter.takeText(r.r.Description) }

// definition resolves Definition.
type definition struct {
	w *world
	d *schema.Definition
}

func definitionsOf(w *world, all []schema.Definition) []definition {
	w.meter.takeObjects(len(all))
	out := make([]definition, len(all))
	for i := range out {
		out[i] = definition{w, &all[i]}
	}
	return out
}

func (d definition) Name() string         { return d.d.Name }
func (d definition) Key() string          { return d.d.Key }
func (d definition) Description() string  { return d.w.meter.takeText(d.d.Description) }
func (d definition) Kind() string         { return d.d.Kind }
func (d definition) Args() []parameter    { return parametersOf(d.w, d.d.Args) }
func (d definition) Returns() []parameter { return parametersOf(d.w, d.d.Returns) }

// parameter resolves Parameter.
type parameter struct {
	Key, Kind string
	Nullable  bool
}

func parametersOf(w *world, all []schema.Parameter) []parameter {
	w.meter.takeObjects(len(all))
	out := make([]parameter, len(all))
	for i, p := range all {
		out[i] = parameter(p)
	}
	return out
}
