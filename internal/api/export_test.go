package api

// Route is a row of the table of routes, as tests see it.
type Route struct{ Pattern, Action string }

// Routes are all rows whose rule asks for a role, or for nothing by its own word.
func Routes(s *Server) (all []Route, open map[string]bool) {
	open = map[string]bool{}
	for _, r := range s.routes() {
		all = append(all, Route{r.pattern, action(r.pattern)})
		open[r.pattern] = r.access == anyone || r.access == loggedIn
	}
	return all, open
}

// Serve answers a request by a route of its own.
func Serve(s *Server, pattern string) *Server {
	s.mux.HandleFunc(pattern, s.serve(route{pattern: pattern, handle: func(*request) (reply, error) { return ok("in") }}))
	return s
}

// Resource is the scope that a refusal names.
var Resource = resource
