package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	coordination "k8s.io/client-go/kubernetes/typed/coordination/v1"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/leaderelection"
	"k8s.io/client-go/tools/leaderelection/resourcelock"
	"k8s.io/klog/v2"

	"github.com/berthdev/berth/reconciler/engine"
	"github.com/berthdev/berth/schema"
)

// leaseTimes say how long a Lease holds, when its holder gives up that cannot
// renew it, and how often the others ask for it: client-go's own.
type leaseTimes struct{ holds, giveUp, retry time.Duration }

var usualLease = leaseTimes{holds: 15 * time.Second, giveUp: 10 * time.Second, retry: 2 * time.Second}

// An election has one of several replicas lead, by a Lease of Kubernetes. A nil
// election is that of a Berth that is alone, and leads.
type election struct {
	lock   *tellingLock
	log    *slog.Logger
	cancel context.CancelFunc
	ended  chan struct{}

	mu     sync.Mutex
	now    tenure
	over   chan struct{} // of now
	leader string        // its identity, as was seen last; empty: none
}

// A tenure is a time in which it does not change whether this replica leads.
type tenure struct {
	leads   bool
	leader  func() string   // names who leads; nil: there are no replicas
	address func() string   // where that one is reached; empty: it is not known
	over    <-chan struct{} // closed at its end; nil: it has none
}

// alone is the tenure of a Berth without replicas.
var alone = tenure{leads: true}

// candidacy is what an election is about.
type candidacy struct {
	schema.LeaderElection
	instance string
	listen   string
}

func candidacyOf(cfg *schema.Config) candidacy {
	return candidacy{cfg.LeaderElection, cfg.Instance, cfg.Listen}
}

// A candidate stands in one election at a time.
type candidate struct {
	vote *election
	at   candidacy
}

// stand has it stand as the configuration says. Where that cannot be, it stands as it
// did before.
func (c *candidate) stand(cfg *schema.Config, log *slog.Logger) error {
	at := candidacyOf(cfg)
	if at == c.at {
		return nil
	}
	vote, err := standFor(cfg, log)
	if err != nil {
		return err
	}
	c.vote.close()
	c.vote, c.at = vote, at
	return nil
}

// standFor begins an election as the configuration says; nil if it does not ask
// for one. It ends with close.
func standFor(cfg *schema.Config, log *slog.Logger) (*election, error) {
	l := cfg.LeaderElection
	if !l.Enabled {
		return nil, nil //nolint:nilnil // alone
	}
	config, namespace, err := leaseCluster(cfg)
	if err != nil {
		return nil, &schema.Error{Op: "join", Resource: "leader election", Kind: schema.Terminal, Err: err,
			Hint: "leaderElection needs a cluster: run Berth in one, or name its kubeconfig in a backend of type kubernetes"}
	}
	config = rest.CopyConfig(config)
	config.Timeout = usualLease.giveUp / 2 // one call that hangs must not lose the Lease
	client, err := coordination.NewForConfig(config)
	if err != nil {
		return nil, err
	}
	who, err := replicaName(ownAddress(cfg.Listen, config.Host))
	if err != nil {
		return nil, err
	}
	at := metav1.ObjectMeta{Namespace: cmp.Or(l.Namespace, namespace), Name: cmp.Or(l.Lease, "berth-"+cfg.Instance)}
	return newElection(client, at, who, usualLease, log)
}

// newElection has who stand for the Lease.
func newElection(client coordination.LeasesGetter, lease metav1.ObjectMeta, who string, t leaseTimes, log *slog.Logger) (*election, error) {
	e := &election{log: log, ended: make(chan struct{}), over: make(chan struct{})}
	e.now = e.begin(false)
	e.lock = &tellingLock{log: log, Interface: &resourcelock.LeaseLock{
		LeaseMeta: lease, Client: client, LockConfig: resourcelock.ResourceLockConfig{Identity: who},
	}}
	elector, err := leaderelection.NewLeaderElector(leaderelection.LeaderElectionConfig{
		Lock: e.lock, Name: lease.Name, LeaseDuration: t.holds, RenewDeadline: t.giveUp, RetryPeriod: t.retry,
		// The Lease is given back by close, once no work goes on. Left to the elector, a
		// lost one would be, before anybody here is told.
		ReleaseOnCancel: false,
		Callbacks: leaderelection.LeaderCallbacks{
			OnStartedLeading: func(ctx context.Context) { e.turn(true, ctx) },
			OnStoppedLeading: func() { e.turn(false, context.Background()) },
			OnNewLeader:      e.follow,
		},
	})
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithCancel(quietly(context.Background()))
	e.cancel = cancel
	log.Info("stands for leader", "lease", lease.Namespace+"/"+lease.Name, "replica", personal(who))
	go func() {
		defer close(e.ended)
		for ctx.Err() == nil {
			elector.Run(ctx) // until the Lease is lost
		}
	}()
	return e, nil
}

// turn begins a tenure, unless the one that ctx is of has ended already.
func (e *election) turn(leads bool, ctx context.Context) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if ctx.Err() != nil || e.now.leads == leads {
		return
	}
	close(e.over)
	e.over = make(chan struct{})
	e.now = e.begin(leads)
}

// begin returns a tenure that ends with over.
func (e *election) begin(leads bool) tenure {
	return tenure{leads: leads, leader: e.leaderName, address: e.leaderAddress, over: e.over}
}

// follow notes who leads.
func (e *election) follow(who string) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.leader = who; who != "" {
		e.log.Info("a replica leads", "leader", personal(who), "own", who == e.lock.Identity())
	}
}

func (e *election) leaderName() string {
	e.mu.Lock()
	defer e.mu.Unlock()
	return personal(e.leader)
}

func (e *election) leaderAddress() string {
	e.mu.Lock()
	defer e.mu.Unlock()
	return addressOf(e.leader)
}

// tenure returns the present one.
func (e *election) tenure() tenure {
	if e == nil {
		return alone
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.now
}

// close ends it, and gives the Lease back if it is held, so that another one leads
// at once. No work may go on.
func (e *election) close() {
	if e == nil {
		return
	}
	e.cancel()
	<-e.ended
	ctx, cancel := context.WithTimeout(quietly(context.Background()), 5*time.Second)
	defer cancel()
	held, _, err := e.lock.Get(ctx)
	if err != nil || held.HolderIdentity != e.lock.Identity() {
		return
	}
	held.HolderIdentity, held.LeaseDurationSeconds = "", 1
	_ = e.lock.Update(ctx, *held) // it was told of; the Lease ends by itself then
}

// quietly keeps client-go from writing a log of its own.
func quietly(ctx context.Context) context.Context { return klog.NewContext(ctx, klog.Logger{}) }

// logger returns a logger that says of each line that this replica stands by.
func (t tenure) logger(log *slog.Logger) *slog.Logger {
	if t.leads {
		return log
	}
	return log.With("standby", true)
}

// errLeads ends an instance because this replica begins to lead.
var errLeads = errors.New("this replica leads now")

// end ends an instance by cancel when the tenure ends before it.
func (t tenure) end(instance context.Context, cancel context.CancelCauseFunc) {
	select {
	case <-instance.Done():
	case <-t.over:
		if t.leads {
			cancel(engine.ErrDeposed)
			return
		}
		cancel(errLeads)
	}
}

// ready adds to what is said of readiness that another replica leads.
func (t tenure) ready(ready func() (bool, string)) func() (bool, string) {
	if t.leads {
		return ready
	}
	return func() (bool, string) {
		if ok, why := ready(); !ok {
			return ok, why
		}
		return true, fmt.Sprintf("on standby, %s leads", cmp.Or(t.leader(), "no replica"))
	}
}

// tellingLock logs why a Lease cannot be had, once for each reason: client-go
// tells only its own log.
type tellingLock struct {
	resourcelock.Interface
	log  *slog.Logger
	last string
}

func (l *tellingLock) tell(err error) error {
	switch {
	case err == nil:
		l.last = ""
	case apierrors.IsNotFound(err), apierrors.IsConflict(err), apierrors.IsAlreadyExists(err), errors.Is(err, context.Canceled): // another one was quicker, or it is new
	case err.Error() != l.last:
		l.last = err.Error()
		l.log.Warn("the Lease cannot be had", "lease", l.Describe(), "error", err)
	}
	return err
}

// Get implements [resourcelock.Interface].
func (l *tellingLock) Get(ctx context.Context) (*resourcelock.LeaderElectionRecord, []byte, error) {
	record, raw, err := l.Interface.Get(ctx)
	return record, raw, l.tell(err)
}

// Create implements [resourcelock.Interface].
func (l *tellingLock) Create(ctx context.Context, r resourcelock.LeaderElectionRecord) error {
	return l.tell(l.Interface.Create(ctx, r))
}

// Update implements [resourcelock.Interface].
func (l *tellingLock) Update(ctx context.Context, r resourcelock.LeaderElectionRecord) error {
	return l.tell(l.Interface.Update(ctx, r))
}
