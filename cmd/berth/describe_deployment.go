package main

import (
	"fmt"
	"strings"
	"time"
)

const deploymentDocument = `query($name: String!) {
	item: deployment(name: $name) {
		name state reason hint since declared position { file line column } appIdentifier versionAsked version
		flavourName backendName user scopes replicas readyReplicas suspended why
		commit { ` + toldCommitFields + ` }
		pods { name state ready restarts backendName version flavourName reason exitCode endpoints { address containerPort protocol } createdAt lastLines }
		dependsOn { name state } dependents { name state }
		rollouts { version flavour backend commit state reason startedAt endedAt }
		decision { action reason }
		events(first: 10) { nodes { ` + eventFields + ` } totalCount }
	}
}`

// deploymentStory is the answer to deploymentDocument.
type deploymentStory struct {
	deploymentItem
	Commit     *toldCommit   `json:"commit"`
	Pods       []storyPod    `json:"pods"`
	DependsOn  []stateRef    `json:"dependsOn"`
	Dependents []stateRef    `json:"dependents"`
	Rollouts   []rolloutItem `json:"rollouts"`
	Decision   *struct {
		Action word   `json:"action"`
		Reason string `json:"reason"`
	} `json:"decision"`
	Events connection[eventItem] `json:"events"`
}

// toldCommit is a commit as the story of another thing tells it.
type toldCommit struct {
	commitRef
	Message string `json:"message"`
	Author  string `json:"author"`
	Verdict word   `json:"verdict"`
}

const toldCommitFields = `hash short message author verdict`

// String tells it in one line.
func (c *toldCommit) String() string {
	if c == nil {
		return ""
	}
	out := c.Short
	if c.Message != "" {
		out += fmt.Sprintf(" %q", c.Message)
	}
	if c.Author != "" {
		out += " by " + c.Author
	}
	return out + ", " + string(c.Verdict)
}

type storyPod struct {
	Name        string         `json:"name"`
	State       word           `json:"state"`
	Ready       bool           `json:"ready"`
	Restarts    int            `json:"restarts"`
	BackendName string         `json:"backendName"`
	Version     string         `json:"version"`
	FlavourName string         `json:"flavourName"`
	Reason      string         `json:"reason"`
	ExitCode    *int           `json:"exitCode"`
	Endpoints   []endpointItem `json:"endpoints"`
	CreatedAt   time.Time      `json:"createdAt"`
	LastLines   []string       `json:"lastLines"`
}

type stateRef struct {
	Name  string `json:"name"`
	State word   `json:"state"`
}

type rolloutItem struct {
	Version   string     `json:"version"`
	Flavour   string     `json:"flavour"`
	Backend   string     `json:"backend"`
	Commit    string     `json:"commit"`
	State     word       `json:"state"`
	Reason    string     `json:"reason"`
	StartedAt time.Time  `json:"startedAt"`
	EndedAt   *time.Time `json:"endedAt"`
}

// changing are the actions of a plan that say more than the state does.
var changing = map[word]bool{"create": true, "replace": true, "remove": true}

func (d *deploymentStory) tell(s *story) {
	s.field("Deployment", d.Name)
	s.state(d.State, age(s.now, d.Since), d.Reason)
	s.field("What to do", d.Hint)
	if p := d.Decision; p != nil && changing[p.Action] {
		s.field("Plan", string(p.Action)+": "+p.Reason)
	}
	s.field("Ready", d.readyPods())
	s.field("Asks for", d.asks())
	s.field("Gets", d.gets())
	s.field("Why", d.Why)
	s.field("For", d.onBehalf())
	switch {
	case d.Position != nil:
		s.field("Declared", d.Position.String())
	case !d.Declared:
		s.field("Declared", "no more")
	}
	s.field("Commit", d.Commit.String())
	s.field("Depends on", stateRefs(d.DependsOn))
	s.field("Needed by", stateRefs(d.Dependents))
	d.tellPods(s)
	d.tellRollouts(s)
	s.events(d.Events.Nodes)
}

func (d *deploymentStory) readyPods() string {
	if d.Declared {
		return fmt.Sprintf("%d of %d %s", d.ReadyReplicas, d.Replicas, plural(d.Replicas, "pod", "pods"))
	}
	return fmt.Sprintf("%d %s", d.ReadyReplicas, plural(d.ReadyReplicas, "pod", "pods"))
}

func (d *deploymentStory) asks() string {
	switch {
	case d.unreadable():
		return "not known: its document cannot be used"
	case !d.Declared:
		return ""
	}
	if d.VersionAsked == "" {
		return d.AppIdentifier + ", the newest release"
	}
	return d.AppIdentifier + " " + d.VersionAsked
}

func (d *deploymentStory) gets() string {
	if d.Version == "" {
		return "no release yet"
	}
	out := "release " + d.Version
	if d.FlavourName != "" {
		out += " -> flavour " + d.FlavourName
	}
	if d.BackendName != "" {
		out += " -> backend " + d.BackendName
	}
	return out
}

func (d *deploymentStory) onBehalf() string {
	out := d.User
	if len(d.Scopes) > 0 {
		out = strings.TrimPrefix(out+", scopes "+strings.Join(d.Scopes, ", "), ", ")
	}
	return out
}

func (d *deploymentStory) tellPods(s *story) {
	var rows [][]string
	for _, p := range d.Pods {
		rows = append(rows, []string{p.Name, string(p.State), yesNo(p.Ready), fmt.Sprint(p.Restarts), p.Version, p.FlavourName, p.BackendName, endpointWords(p.Endpoints), podReason(p.Reason, p.ExitCode), age(s.now, p.CreatedAt)})
	}
	s.table("Pods", []string{"NAME", "STATE", "READY", "RESTARTS", "VERSION", "FLAVOUR", "BACKEND", "ENDPOINTS", "REASON", "AGE"}, rows)
	for _, p := range d.Pods {
		s.lines("Last lines of "+p.Name, p.LastLines)
	}
}

func (d *deploymentStory) tellRollouts(s *story) {
	var rows [][]string
	for _, r := range d.Rollouts {
		took := ""
		if r.EndedAt != nil {
			took = age(*r.EndedAt, r.StartedAt)
		}
		rows = append(rows, []string{r.Version, r.Flavour, r.Backend, string(r.State), shortHash(r.Commit), r.Reason, took, age(s.now, r.StartedAt)})
	}
	s.table("Rollouts", []string{"VERSION", "FLAVOUR", "BACKEND", "STATE", "COMMIT", "REASON", "TOOK", "AGE"}, rows)
}

func stateRefs(refs []stateRef) string {
	out := make([]string, len(refs))
	for i, r := range refs {
		out[i] = fmt.Sprintf("%s (%s)", r.Name, r.State)
	}
	return strings.Join(out, ", ")
}
