package main

import (
	"cmp"
	"fmt"
	"strconv"
	"strings"
	"time"
)

type deploymentItem struct {
	Name          string     `json:"name"`
	State         word       `json:"state"`
	Reason        string     `json:"reason"`
	Hint          string     `json:"hint"`
	Since         time.Time  `json:"since"`
	Declared      bool       `json:"declared"`
	Position      *position  `json:"position"`
	AppIdentifier string     `json:"appIdentifier"`
	VersionAsked  string     `json:"versionAsked"`
	Version       string     `json:"version"`
	FlavourName   string     `json:"flavourName"`
	BackendName   string     `json:"backendName"`
	User          string     `json:"user"`
	Scopes        []string   `json:"scopes"`
	Replicas      int        `json:"replicas"`
	ReadyReplicas int        `json:"readyReplicas"`
	Suspended     bool       `json:"suspended"`
	Why           string     `json:"why"`
	Commit        *commitRef `json:"commit"`
}

func (d *deploymentItem) key() string { return d.Name }

func (d *deploymentItem) ready() string {
	if d.unreadable() {
		return fmt.Sprintf("%d/?", d.ReadyReplicas)
	}
	return fmt.Sprintf("%d/%d", d.ReadyReplicas, d.Replicas)
}

// unreadable tells whether a document declares it that cannot be used: what it asks
// for is then not known.
func (d *deploymentItem) unreadable() bool { return !d.Declared && d.Position != nil }

func (d *deploymentItem) cells(now time.Time) []string {
	return []string{d.Name, string(d.State), d.ready(), d.AppIdentifier, d.Version, d.FlavourName, d.BackendName, d.Reason,
		d.User, d.VersionAsked, d.Commit.short(), d.Position.String(), age(now, d.Since)}
}

type podItem struct {
	Name           string         `json:"name"`
	EngineID       string         `json:"engineId"`
	DeploymentName string         `json:"deploymentName"`
	Ordinal        int            `json:"ordinal"`
	AppIdentifier  string         `json:"appIdentifier"`
	Version        string         `json:"version"`
	FlavourName    string         `json:"flavourName"`
	BackendName    string         `json:"backendName"`
	State          word           `json:"state"`
	Health         word           `json:"health"`
	Ready          bool           `json:"ready"`
	Reason         string         `json:"reason"`
	ExitCode       *int           `json:"exitCode"`
	Restarts       int            `json:"restarts"`
	Image          string         `json:"image"`
	Digest         string         `json:"digest"`
	CPU            *float64       `json:"cpu"`
	Memory         *int64         `json:"memory"`
	GPUs           []string       `json:"gpus"`
	Endpoints      []endpointItem `json:"endpoints"`
	File           string         `json:"file"`
	Commit         *commitRef     `json:"commit"`
	CreatedAt      time.Time      `json:"createdAt"`
	StartedAt      *time.Time     `json:"startedAt"`
}

type endpointItem struct {
	Address       string `json:"address"`
	ContainerPort int    `json:"containerPort"`
	Protocol      string `json:"protocol"`
}

func (p *podItem) key() string { return p.BackendName + "/" + p.Name }

func endpointWords(of []endpointItem) string {
	out := make([]string, len(of))
	for i, e := range of {
		out[i] = fmt.Sprintf("%s->%d/%s", e.Address, e.ContainerPort, e.Protocol)
	}
	return strings.Join(out, ", ")
}

func (p *podItem) cells(now time.Time) []string {
	return []string{p.Name, string(p.State), yesNo(p.Ready), strconv.Itoa(p.Restarts), p.DeploymentName, p.Version, p.FlavourName,
		p.BackendName, podReason(p.Reason, p.ExitCode), string(p.Health), endpointWords(p.Endpoints), p.Image, p.Commit.short(), age(now, p.CreatedAt)}
}

// podReason says why a pod is as it is, and how it ended where it did.
func podReason(reason string, exitCode *int) string {
	if reason == "" && exitCode != nil {
		return fmt.Sprintf("exit code %d", *exitCode)
	}
	return reason
}

type backendItem struct {
	Name     string        `json:"name"`
	Type     word          `json:"type"`
	Priority int           `json:"priority"`
	Answers  bool          `json:"answers"`
	Problem  string        `json:"problem"`
	Engine   string        `json:"engine"`
	Capacity *capacityItem `json:"capacity"`
	Given    struct {
		CPU    float64 `json:"cpu"`
		Memory int64   `json:"memory"`
		GPUs   int     `json:"gpus"`
		Pods   int     `json:"pods"`
	} `json:"given"`
}

type capacityItem struct {
	CPU    float64     `json:"cpu"`
	Memory int64       `json:"memory"`
	Arch   string      `json:"arch"`
	OS     string      `json:"os"`
	GPUs   []gpuItem   `json:"gpus"`
	Labels []labelItem `json:"labels"`
}

type gpuItem struct {
	Name         string `json:"name"`
	Vendor       string `json:"vendor"`
	Version      string `json:"version"`
	Capability   string `json:"capability"`
	Architecture string `json:"architecture"`
	Memory       *int64 `json:"memory"`
}

type labelItem struct {
	Key   string `json:"key"`
	Value string `json:"value"`
}

func (b *backendItem) key() string { return b.Name }

func (b *backendItem) cells(time.Time) []string {
	cpu, memory, gpus, arch, labels := trimFloat(b.Given.CPU), formatBytes(b.Given.Memory), strconv.Itoa(b.Given.GPUs), "", ""
	if c := b.Capacity; c != nil {
		cpu += "/" + orUnlimited(trimFloat(c.CPU), c.CPU == 0)
		memory += "/" + orUnlimited(formatBytes(c.Memory), c.Memory == 0)
		gpus += "/" + strconv.Itoa(len(c.GPUs))
		arch, labels = c.platform(), c.labels()
	}
	return []string{b.Name, string(b.Type), yesNo(b.Answers), strconv.Itoa(b.Given.Pods), cpu, memory, gpus, b.Engine, b.Problem,
		strconv.Itoa(b.Priority), arch, labels}
}

func (c *capacityItem) platform() string {
	return strings.Trim(c.OS+"/"+c.Arch, "/")
}

func (c *capacityItem) labels() string {
	out := make([]string, len(c.Labels))
	for i, l := range c.Labels {
		out[i] = l.Key + "=" + l.Value
	}
	return strings.Join(out, ",")
}

type sourceItem struct {
	Name        string     `json:"name"`
	Kind        word       `json:"kind"`
	URL         string     `json:"url"`
	Ref         string     `json:"ref"`
	Commit      string     `json:"commit"`
	Message     string     `json:"message"`
	State       word       `json:"state"`
	Problem     string     `json:"problem"`
	Failures    int        `json:"failures"`
	LastAttempt *time.Time `json:"lastAttempt"`
	LastSuccess *time.Time `json:"lastSuccess"`
	NextAttempt *time.Time `json:"nextAttempt"`
}

func (s *sourceItem) key() string { return s.Name }

func (s *sourceItem) cells(now time.Time) []string {
	return []string{s.Name, string(s.Kind), string(s.State), shortHash(s.Commit), s.Ref, s.URL, s.Problem,
		s.Message, strconv.Itoa(s.Failures), ageOf(now, s.LastSuccess)}
}

type commitItem struct {
	Hash    string     `json:"hash"`
	Short   string     `json:"short"`
	Message string     `json:"message"`
	Author  string     `json:"author"`
	Time    *time.Time `json:"time"`
	InForce bool       `json:"inForce"`
	Verdict word       `json:"verdict"`
	Summary string     `json:"summary"`
	Since   *time.Time `json:"since"`
	Changed []string   `json:"changed"`
}

func (c *commitItem) key() string { return c.Hash }

func (c *commitItem) cells(now time.Time) []string {
	return []string{c.Short, string(c.Verdict), yesNo(c.InForce), c.Author, c.Message, c.Summary,
		c.Hash, strings.Join(c.Changed, ","), ageOf(now, cmp.Or(c.Since, c.Time))}
}

type eventItem struct {
	ID             string    `json:"id"`
	Time           time.Time `json:"time"`
	Kind           word      `json:"kind"`
	Severity       word      `json:"severity"`
	Message        string    `json:"message"`
	DeploymentName string    `json:"deploymentName"`
	App            string    `json:"app"`
	Pod            string    `json:"pod"`
	Backend        string    `json:"backend"`
	Source         string    `json:"source"`
	Commit         string    `json:"commit"`
	State          *word     `json:"state"`
}

func (e *eventItem) key() string { return e.ID }

// about is the name of what an event is about: what is nearest to it.
func (e *eventItem) about() string {
	return cmp.Or(e.DeploymentName, e.Source, e.App, e.Pod, e.Backend, shortHash(e.Commit))
}

// text says what happened, and with it the state that a deployment turned to.
func (e *eventItem) text() string {
	if e.State == nil {
		return e.Message
	}
	return string(*e.State) + ": " + e.Message
}

func (e *eventItem) cells(now time.Time) []string {
	return []string{string(e.Kind), string(e.Severity), e.about(), e.text(), e.Pod, e.Backend, shortHash(e.Commit), age(now, e.Time)}
}
