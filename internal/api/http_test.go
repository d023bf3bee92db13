package api

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/berthdev/berth/backends"
	"github.com/berthdev/berth/reconciler/journal"
	"github.com/berthdev/berth/schema"
)

func TestRequests(t *testing.T) {
	const name = `{instance{name}}`
	asQuery := func(q string) string {
		text, _ := json.Marshal(map[string]string{"query": q})
		return string(text)
	}
	inURL := func(q string) string { return "/graphql?query=" + url.QueryEscape(q) }
	answered := `{"data":{"instance":{"name":"lab"}}}` + "\n"
	type request struct {
		method, target, body string
		headers              []string
	}
	post := func(body string, headers ...string) request {
		return request{http.MethodPost, "/graphql", body, append(headers, "Content-Type", "application/json")}
	}
	get := func(target string, headers ...string) request { return request{http.MethodGet, target, "", headers} }
	for what, tt := range map[string]struct {
		request
		code int
		kind string
		want string // a part of the body
	}{
		"query":                       {post(asQuery(name)), 200, "application/json; charset=utf-8", answered},
		"query, newer type":           {post(asQuery(name), "Accept", "application/graphql-response+json, application/json;q=0.9"), 200, "application/graphql-response+json; charset=utf-8", answered},
		"query of a browser":          {post(asQuery(name), "Accept", "*/*"), 200, "application/json; charset=utf-8", answered},
		"named operation":             {post(`{"query":"query A{instance{name}} query B{instance{version}}","operationName":"A"}`), 200, "", answered},
		"variables":                   {post(`{"query":"query($n:String!){deployment(name:$n){name}}","variables":{"n":"db"}}`), 200, "", `{"data":{"deployment":{"name":"db"}}}`},
		"query by GET":                {get(inURL(name)), 200, "application/json; charset=utf-8", answered},
		"variables by GET":            {get(inURL("query($n:String!){deployment(name:$n){name}}") + `&variables={"n":"db"}`), 200, "", `"db"`},
		"query for events":            {post(asQuery(name), "Accept", "text/event-stream"), 200, "text/event-stream", "event: next\ndata: " + strings.TrimSpace(answered) + "\n\nevent: complete\ndata: \n\n"},
		"wrong field":                 {post(asQuery(`{instance{nme}}`)), 200, "", `"code":"BAD_INPUT"`},
		"wrong field, newer type":     {post(asQuery(`{instance{nme}}`), "Accept", "application/graphql-response+json"), 400, "", `"code":"BAD_INPUT"`},
		"no operation of this name":   {post(`{"query":"query A{instance{name}}","operationName":"B"}`), 200, "", `"errors"`},
		"mutation by GET":             {get(inURL(`mutation{reconcile{time}}`)), 405, "", "send it with POST"},
		"hidden mutation by GET":      {get(inURL("query A{instance{name}} mutation B{reconcile{time}}") + "&operationName=B"), 405, "", "send it with POST"},
		"viewer's mutation":           {post(asQuery(`mutation{reconcile{time}}`), "Role", "viewer"), 200, "", `"code":"FORBIDDEN"`},
		"subscription without events": {post(asQuery(`subscription{events{id}}`)), 406, "", "text/event-stream"},
		"no query":                    {post(`{}`), 400, "", "there is no query"},
		"no query by GET":             {get("/graphql"), 400, "", "there is no query"},
		"browser":                     {get("/graphql", "Accept", "text/html,application/xhtml+xml,*/*;q=0.8"), 200, "text/plain; charset=utf-8", "curl -s"},
		"no JSON":                     {post(`query`), 400, "application/json; charset=utf-8", "no JSON object"},
		"query that is no text":       {post(`{"query":1}`), 400, "", "a number stands where it does not belong: query"},
		"a list":                      {post(`[{"query":"{instance{name}}"}]`), 400, "", "an array stands"},
		"two objects":                 {post(asQuery(name) + "{}"), 400, "", "no JSON object"},
		"variables that are a list":   {post(`{"query":"{instance{name}}","variables":[]}`), 400, "", "variables"},
		"broken variables by GET":     {get(inURL(name) + "&variables={"), 400, "", "variables are no JSON object"},
		"broken URL":                  {get("/graphql?query=%zz"), 400, "", "URL cannot be understood"},
		"too large":                   {post(asQuery(strings.Repeat(" ", maxBody))), 413, "", `"code":"TOO_MUCH"`},
		"form":                        {request{http.MethodPost, "/graphql", "query=" + name, []string{"Content-Type", "application/x-www-form-urlencoded"}}, 415, "", "application/json"},
		"text of a page":              {request{http.MethodPost, "/graphql", asQuery(name), []string{"Content-Type", "text/plain"}}, 415, "", "application/json"},
		"no content type":             {request{http.MethodPost, "/graphql", asQuery(name), nil}, 415, "", "application/json"},
		"another charset":             {request{http.MethodPost, "/graphql", asQuery(name), []string{"Content-Type", "application/json; charset=utf-16"}}, 415, "", "application/json"},
		"method":                      {request{http.MethodPut, "/graphql", asQuery(name), nil}, 405, "", "POST"},
		"nothing acceptable":          {post(asQuery(name), "Accept", "image/png"), 406, "", "application/json"},
	} {
		t.Run(what, func(t *testing.T) {
			inWorld(t, func(r *rig) {
				w := serveWorld(r)
				defer w.close()
				resp := w.send(w.t.Context(), tt.method, tt.target, tt.body, tt.headers...)
				defer resp.Body.Close()
				code, body := resp.StatusCode, whole(w, resp)
				if kind := resp.Header.Get("Content-Type"); code != tt.code || tt.kind != "" && kind != tt.kind || !strings.Contains(body, tt.want) {
					t.Errorf("%d %s %s", code, kind, body)
				}
				if resp.Header.Get("X-Content-Type-Options") != "nosniff" || resp.Header.Get("Access-Control-Allow-Origin") != "" {
					t.Errorf("headers: %v", resp.Header)
				}
				if len(r.hub.woken) > 0 {
					t.Errorf("it had an effect: %v", r.hub.woken)
				}
			})
		})
	}
}

func TestAccept(t *testing.T) {
	for accept, want := range map[string]string{
		"": plainJSON, "*/*": plainJSON, "application/*": plainJSON, "text/*": eventStream, "text/html": "",
		"application/json;q=0.5, application/graphql-response+json": graphqlJSON,
		"application/json, application/graphql-response+json":       plainJSON,
		"application/json;q=0, */*":                                 graphqlJSON,
		"text/event-stream, */*;q=0.1":                              eventStream,
		"application/json;q=x":                                      plainJSON,
		"a;;;,,/":                                                   "",
	} {
		header := http.Header{}
		if accept != "" {
			header.Set("Accept", accept)
		}
		if got := accepted(header, plainJSON, graphqlJSON, eventStream); got != want {
			t.Errorf("%q: %q, want %q", accept, got, want)
		}
	}
}

func TestOperationKind(t *testing.T) {
	for document, want := range map[string]string{
		"{a}": "query", "query{a}": "query", "mutation M{a}": "mutation", "subscription($a:Int={b:1}){a}": "subscription",
		"# query\nmutation{a}":                                 "mutation",
		"fragment F on T{a} subscription{...F}":                "subscription",
		`query @mutation(a:"}{ mutation{"){a}`:                 "query",
		`query($s:String="""} \""" mutation{ """){a(s:"\"}")}`: "query",
		"query A{a} query B{b}":                                "", // which of them was not said
		"":                                                     "", "fragment F on T{a}": "", "}{a}": "",
	} {
		if got := operationKind(document, ""); got != want {
			t.Errorf("%s: %q, want %q", document, got, want)
		}
	}
	const two = "query A{a} mutation B{b}"
	if a, b, c := operationKind(two, "A"), operationKind(two, "B"), operationKind(two, "C"); a != "query" || b != "mutation" || c != "" {
		t.Errorf("%q, %q, %q", a, b, c)
	}
}

func FuzzOperationKind(f *testing.F) {
	for _, s := range []string{"{a}", "mutation M{a}", "#\n{", `"""`, `"\`, "query @a(b:[{}]) {", "}}{"} {
		f.Add(s, "M")
	}
	f.Fuzz(func(t *testing.T, document, name string) {
		if kind := operationKind(document, name); kind != "" && kind != "query" && !strings.Contains(document, kind) {
			t.Errorf("%q is a %s", document, kind)
		}
	})
}

func TestReconcile(t *testing.T) {
	inWorld(t, func(r *rig) {
		w := serveWorld(r)
		defer w.close()
		for args, want := range map[string]string{
			``:                                   `["all sources","all deployments"]`,
			`(source:"apps")`:                    `["source apps"]`,
			`(deployment:"db",backend:"docker")`: `["deployment db","backend docker"]`,
			`(source:"app")`:                     `there is no source \"app\"","path":["reconcile"],"extensions":{"code":"NOT_FOUND","hint":"did you mean apps?"`,
			`(deployment:"bd")`:                  `did you mean db?`,
			`(backend:"moon")`:                   `there are docker, cluster`,
		} {
			args, _ := json.Marshal("mutation{reconcile" + args + "{what}}")
			if _, body := w.post(`{"query":` + string(args) + `}`); !strings.Contains(body, want) {
				t.Errorf("%s: %s", args, body)
			}
		}
		slices.Sort(r.hub.woken)
		if diff := cmp.Diff([]string{"", "apps"}, r.hub.woken); diff != "" {
			t.Error(diff)
		}
		var told []string
		for _, e := range r.journal.Events(func(e *journal.Event) bool { return e.Kind == journal.Request }) {
			told = append(told, fmt.Sprintf("%s|%s|%s: %s", e.Source, e.Deployment, e.Backend, e.Message))
		}
		slices.Sort(told)
		if diff := cmp.Diff([]string{
			"apps||: ann asked to look again at source apps",
			"|db|docker: ann asked to look again at deployment db, backend docker",
			"||: ann asked to look again at all sources, all deployments",
		}, told); diff != "" {
			t.Error(diff)
		}
	})
}

// failedEngine is an engine on which only one rollout failed.
type failedEngine struct{ Engine }

func (failedEngine) Retry(_ context.Context, deployment string) ([]string, error) {
	if deployment != "fiji" {
		return nil, &schema.Error{Op: "retry", Resource: deployment, Kind: schema.Invalid, Err: errors.New("nothing failed"), Hint: "look at its reason"}
	}
	return []string{"fiji-0.failed"}, nil
}

func TestRetry(t *testing.T) {
	inWorld(t, func(r *rig) {
		r.api.o.Engine = failedEngine{r.api.o.Engine}
		w := serveWorld(r)
		defer w.close()
		for name, want := range map[string]string{
			"fiji": `{"data":{"retry":{"pods":["fiji-0.failed"],"deployment":{"name":"fiji"}}}}`,
			"fji":  `"code":"NOT_FOUND","hint":"did you mean fiji?"`,
			"db":   `"message":"retry db: nothing failed","path":["retry"],"extensions":{"code":"BAD_INPUT","hint":"look at its reason"}`,
		} {
			_, body := w.post(`{"query":"mutation($n:String!){retry(deployment:$n){pods deployment{name}}}","variables":{"n":"` + name + `"}}`)
			if !strings.Contains(body, want) {
				t.Errorf("%s: %s", name, body)
			}
		}
		asked := r.journal.Events(func(e *journal.Event) bool { return e.Kind == journal.Request })
		if len(asked) != 1 || asked[0].Deployment != "fiji" || asked[0].Message != "ann asked to try the rollout again" {
			t.Errorf("%+v", asked)
		}
	})
}

// subscribe begins a subscription.
func (w *web) subscribe(query string) *listener {
	w.t.Helper()
	body, _ := json.Marshal(map[string]string{"query": query})
	return w.listen(func(ctx context.Context) *http.Response {
		return w.send(ctx, http.MethodPost, "/graphql", string(body), "Content-Type", "application/json", "Accept", eventStream)
	})
}

func TestSubscribeToDeployments(t *testing.T) {
	inWorld(t, func(r *rig) {
		w := serveWorld(r)
		defer w.close()
		l := w.subscribe(`subscription{deployments(filter:{name:["db","fiji"],state:[READY,FAILED]}){kind name deployment{state}}}`)
		diff(t, l.take(),
			`{"data":{"deployments":{"kind":"ADDED","name":"db","deployment":{"state":"READY"}}}}`,
			`{"data":{"deployments":{"kind":"ADDED","name":"fiji","deployment":{"state":"FAILED"}}}}`)
		time.Sleep(time.Hour) // no deadline of a request ends it
		diff(t, l.take())
		r.docker.Delete(r.container("db"))
		synctest.Wait()
		time.Sleep(time.Minute)
		got := l.take()
		if !slices.Contains(got, `{"data":{"deployments":{"kind":"REMOVED","name":"db","deployment":null}}}`) ||
			got[len(got)-1] != `{"data":{"deployments":{"kind":"MODIFIED","name":"db","deployment":{"state":"READY"}}}}` &&
				got[len(got)-1] != `{"data":{"deployments":{"kind":"ADDED","name":"db","deployment":{"state":"READY"}}}}` {
			t.Errorf("a pod was lost: %s", strings.Join(got, "\n"))
		}
		l.cancel()
		diff(t, l.take(), "END")
		synctest.Wait()
		if n := w.handler.streams.taken(); n != 0 {
			t.Errorf("%d streams are open", n)
		}
	})
}

// container is the engine's ID of the first pod of a deployment.
func (r *rig) container(deployment string) string {
	r.t.Helper()
	for _, c := range r.docker.Containers() {
		if c.Deployment == deployment {
			return c.ID
		}
	}
	r.t.Fatal("no pod of " + deployment)
	return ""
}

func diff(t *testing.T, got []string, want ...string) {
	t.Helper()
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
}

func TestSubscribeToPods(t *testing.T) {
	inWorld(t, func(r *rig) {
		w := serveWorld(r)
		defer w.close()
		l := w.subscribe(`subscription{pods(filter:{deployment:["db"]},initial:false){kind pod{state deploymentName}}}`)
		diff(t, l.take())
		r.docker.Delete(r.container("db"))
		time.Sleep(time.Minute)
		got := l.take()
		if len(got) == 0 || got[len(got)-1] != `{"data":{"pods":{"kind":"MODIFIED","pod":{"state":"RUNNING","deploymentName":"db"}}}}` {
			t.Errorf("a pod was lost: %s", strings.Join(got, "\n"))
		}
		l.cancel()
		l.take()
	})
}

func TestDiffPods(t *testing.T) {
	pods := func(restarts int, names ...string) map[podKey]seenPod {
		out := map[podKey]seenPod{}
		for _, name := range names {
			out[podKey{"docker", name}] = seenPod{Pod: backends.Pod{Backend: "docker", Name: name, Restarts: restarts}}
		}
		return out
	}
	for what, tt := range map[string]struct {
		before, now map[podKey]seenPod
		want        []string
	}{
		"nothing":     {pods(0, "a"), pods(0, "a"), nil},
		"in order":    {pods(0, "c", "d"), pods(1, "b", "a", "c"), []string{"REMOVED d", "ADDED a", "ADDED b", "MODIFIED c"}},
		"all at once": {nil, pods(0, "a"), []string{"ADDED a"}},
		"all gone":    {pods(0, "b", "a"), nil, []string{"REMOVED a", "REMOVED b"}},
	} {
		var got []string
		for _, c := range diffPods(nil, tt.before, tt.now) {
			got = append(got, c.Kind+" "+c.Name)
			if (c.Kind == removed) != (c.Pod == nil) {
				t.Errorf("%s: %+v", what, c)
			}
		}
		diff(t, got, tt.want...)
	}
}

func TestSubscribeToEvents(t *testing.T) {
	inWorld(t, func(r *rig) {
		w := serveWorld(r)
		defer w.close()
		l := w.subscribe(`subscription{events(last:2,filter:{kind:[COMMIT,SOURCE,REQUEST]}){kind message}}`)
		diff(t, l.take(),
			`{"data":{"events":{"kind":"COMMIT","message":"Run Fiji"}}}`,
			`{"data":{"events":{"kind":"SOURCE","message":"it does not answer"}}}`)
		r.journal.Record(journal.Event{Kind: journal.State, Message: "not asked for"})
		r.journal.Record(journal.Event{Kind: journal.Request, Message: "asked"})
		diff(t, l.take(), `{"data":{"events":{"kind":"REQUEST","message":"asked"}}}`)
		w.handler.EndStreams() // the server stops: nobody says that it is complete
		diff(t, l.take(), "END")
		l.cancel()
	})
}

func TestSubscriptionThatIsWrong(t *testing.T) {
	inWorld(t, func(r *rig) {
		w := serveWorld(r)
		defer w.close()
		for query, want := range map[string]string{
			`subscription{event{id}}`:           `Cannot query field`,
			`subscription{events(last:-1){id}}`: `"code":"BAD_INPUT","hint":"ask for 0 to 1000"`,
			`subscription{deployments(filter:{not:{not:{not:{not:{name:[]}}}}}){name}}`: "filters named `not`",
		} {
			l := w.subscribe(query)
			got := l.take()
			if len(got) < 3 || !strings.Contains(got[0], want) || got[1] != "event: complete" || got[len(got)-1] != "END" {
				t.Errorf("%s: %q", query, got)
			}
			l.cancel()
		}
	})
}

// There is a bound on streams; it is told, and a place that is given back is free.
func TestStreamsAreBounded(t *testing.T) {
	inWorld(t, func(r *rig) {
		w := serveWorld(r)
		defer w.close()
		w.handler.streams = newPool(4, streamsOpen) // two for each
		const query = `subscription{events{id}}`
		one, two := w.subscribe(query), w.subscribe(query)
		for _, path := range []string{"/logs?deployment=db", "/graphql?query=" + url.QueryEscape(query)} {
			if code, body := w.get(path, "Accept", "text/event-stream, text/plain"); code != 503 || !strings.Contains(body, "2 streams are open, which is the most for one caller") {
				t.Errorf("%s: %d %s", path, code, body)
			}
		}
		one.cancel()
		one.take()
		three := w.subscribe(query)
		for _, l := range []*listener{two, three} {
			l.cancel()
			l.take()
		}
	})
}
