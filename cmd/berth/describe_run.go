package main

import (
	"fmt"
	"strings"
	"time"
)

const (
	podDocument = `query($name: String!, $backend: String) {
	item: pod(name: $name, backend: $backend) {
		name engineId deploymentName ordinal appIdentifier version flavourName backendName state health ready reason
		exitCode restarts image digest cpu memory gpus endpoints { address containerPort protocol }
		file commit { ` + toldCommitFields + ` } createdAt startedAt logs lastLines
		deployment { name state reason hint }
	}
	events(filter: {pod: [$name]}, first: 10) { nodes { ` + eventFields + ` } totalCount }
}`

	backendDocument = `query($name: String!) {
	item: backend(name: $name) {
		name type priority answers problem engine given { cpu memory gpus pods }
		capacity { cpu memory arch os labels { key value }
			gpus { name vendor version capability architecture memory pod { name } } }
		deployments(first: 50) { nodes { ` + deploymentRefFields + ` } totalCount }
	}
	events(filter: {backend: [$name]}, first: 10) { nodes { ` + eventFields + ` } totalCount }
}`

	sourceDocument = `query($name: String!) {
	item: source(name: $name) {
		name kind url ref commit message state problem failures lastAttempt lastSuccess nextAttempt
	}
	events(filter: {source: [$name]}, first: 10) { nodes { ` + eventFields + ` } totalCount }
}`

	commitDocument = `query($hash: String!) {
	item: commit(hash: $hash) {
		hash short message author time inForce verdict summary since changed
		deployments(first: 50) { nodes { ` + deploymentRefFields + ` } totalCount }
		pods(first: 50) { nodes { name state ready deploymentName backendName createdAt } totalCount }
	}
}`
)

// podStory is the answer to podDocument.
type podStory struct {
	podItem
	Commit     *toldCommit `json:"commit"`
	Logs       string      `json:"logs"`
	LastLines  []string    `json:"lastLines"`
	Deployment *struct {
		Name   string `json:"name"`
		State  word   `json:"state"`
		Reason string `json:"reason"`
		Hint   string `json:"hint"`
	} `json:"deployment"`
	Events connection[eventItem] `json:"events"`
}

func (p *podStory) tell(s *story) {
	s.field("Pod", p.Name)
	s.state(p.State, ageOf(s.now, p.StartedAt), p.Reason)
	if p.Health != "none" {
		s.field("Health", string(p.Health))
	}
	s.field("Ready", yesNo(p.Ready))
	if p.ExitCode != nil {
		s.field("Exit code", fmt.Sprint(*p.ExitCode))
	}
	s.field("Restarts", fmt.Sprint(p.Restarts))
	if d := p.Deployment; d != nil {
		s.field("Deployment", fmt.Sprintf("%s (%s: %s), pod %d of it", d.Name, d.State, d.Reason, p.Ordinal))
		s.field("What to do", d.Hint)
	} else {
		s.field("Deployment", p.DeploymentName)
	}
	s.field("Runs", p.AppIdentifier+"@"+p.Version+"/"+p.FlavourName)
	s.field("On", strings.TrimSpace("backend "+p.BackendName+", as "+shortID(p.EngineID)))
	s.field("Image", p.Image)
	s.field("Digest", p.Digest)
	s.field("Given", p.given())
	s.field("Answers at", endpointWords(p.Endpoints))
	s.field("Declared", p.File)
	s.field("Commit", p.Commit.String())
	s.field("Made", age(s.now, p.CreatedAt)+" ago")
	s.field("Log", "berth logs pod/"+p.BackendName+"/"+p.Name)
	s.lines("Last lines", p.LastLines)
	s.events(p.Events.Nodes)
}

// shortID shortens an engine's name of a pod as engines do.
func shortID(id string) string {
	if len(id) == 64 {
		return id[:12]
	}
	return id
}

func (p *podItem) given() string {
	var out []string
	if p.CPU != nil {
		out = append(out, trimFloat(*p.CPU)+" CPU")
	}
	if p.Memory != nil {
		out = append(out, formatBytes(*p.Memory)+" memory")
	}
	if len(p.GPUs) > 0 {
		out = append(out, "GPU "+strings.Join(p.GPUs, ", "))
	}
	return strings.Join(out, ", ")
}

// backendStory is the answer to backendDocument.
type backendStory struct {
	backendItem
	Capacity *struct {
		capacityItem
		GPUs []struct {
			gpuItem
			Pod *named `json:"pod"`
		} `json:"gpus"`
	} `json:"capacity"`
	Deployments connection[deploymentRef] `json:"deployments"`
	Events      connection[eventItem]     `json:"events"`
}

func (b *backendStory) tell(s *story) {
	s.field("Backend", b.Name)
	s.field("Type", string(b.Type))
	s.field("Answers", yesNo(b.Answers))
	s.field("Problem", b.Problem)
	s.field("Engine", b.Engine)
	s.field("Priority", fmt.Sprintf("%d (higher is preferred)", b.Priority))
	s.field("Pods", fmt.Sprint(b.Given.Pods))
	if b.Capacity == nil {
		s.field("Capacity", "not known: the backend was not asked yet")
	} else {
		b.tellCapacity(s)
	}
	s.deployments("Deployments", b.Deployments)
	s.events(b.Events.Nodes)
}

func (b *backendStory) tellCapacity(s *story) {
	c := b.Capacity
	s.field("CPU", trimFloat(b.Given.CPU)+" given of "+orUnlimited(trimFloat(c.CPU), c.CPU == 0))
	s.field("Memory", formatBytes(b.Given.Memory)+" given of "+orUnlimited(formatBytes(c.Memory), c.Memory == 0))
	s.field("Platform", c.platform())
	s.field("Labels", strings.ReplaceAll(c.labels(), ",", ", "))
	var rows [][]string
	for _, g := range c.GPUs {
		rows = append(rows, []string{g.Name, g.Vendor, g.Version, g.Capability, bytesOf(g.Memory), g.Pod.name()})
	}
	s.table("GPUs", []string{"NAME", "VENDOR", "VERSION", "CAPABILITY", "MEMORY", "POD"}, rows)
}

// sourceStory is the answer to sourceDocument.
type sourceStory struct {
	sourceItem
	Events connection[eventItem] `json:"events"`
}

func (src *sourceStory) tell(s *story) {
	s.field("Source", src.Name)
	s.field("Kind", string(src.Kind))
	s.state(src.State, "", src.Problem)
	s.field("URL", src.URL)
	s.field("Ref", src.Ref)
	s.field("Commit", strings.TrimSpace(shortHash(src.Commit)+" "+src.Message))
	s.field("Read", ago(s.now, src.LastSuccess))
	s.field("Asked", ago(s.now, src.LastAttempt))
	if src.Failures > 0 {
		s.field("Failures", fmt.Sprintf("%d in a row", src.Failures))
	}
	if src.NextAttempt != nil {
		s.field("Asked next", "in "+age(*src.NextAttempt, s.now))
	}
	s.events(src.Events.Nodes)
}

// commitStory is the answer to commitDocument.
type commitStory struct {
	commitItem
	Deployments connection[deploymentRef] `json:"deployments"`
	Pods        connection[commitPod]     `json:"pods"`
}

type commitPod struct {
	Name           string    `json:"name"`
	State          word      `json:"state"`
	Ready          bool      `json:"ready"`
	DeploymentName string    `json:"deploymentName"`
	BackendName    string    `json:"backendName"`
	CreatedAt      time.Time `json:"createdAt"`
}

func (c *commitStory) tell(s *story) {
	s.field("Commit", c.Hash)
	s.field("Message", c.Message)
	s.field("Author", c.Author)
	s.field("Made", ago(s.now, c.Time))
	s.state(c.Verdict, "", c.Summary)
	s.field("In force", c.force(s.now))
	s.field("Changed", strings.Join(c.Changed, ", "))
	s.deployments("Deployments", c.Deployments)
	var rows [][]string
	for _, p := range c.Pods.Nodes {
		rows = append(rows, []string{p.Name, string(p.State), yesNo(p.Ready), p.DeploymentName, p.BackendName, age(s.now, p.CreatedAt)})
	}
	s.table("Pods that it made", []string{"NAME", "STATE", "READY", "DEPLOYMENT", "BACKEND", "AGE"}, rows)
	s.more(len(rows), c.Pods.TotalCount)
}

// force says whether the commit is the one in force, and since when.
func (c *commitItem) force(now time.Time) string {
	switch {
	case !c.InForce:
		return "no"
	case c.Since == nil:
		return "yes"
	}
	return "yes, for " + ageOf(now, c.Since)
}
