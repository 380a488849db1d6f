"""The GraphQL operations that are sent to Linear, and no others."""

VIEWER = "query Viewer { viewer { id name organization { id name } } }"
ACTIVITY = """
mutation Activity($input: AgentActivityCreateInput!) {
  agentActivityCreate(input: $input) { success agentActivity { id } }
}"""
SESSION = """
mutation Session($id: String!, $input: AgentSessionUpdateInput!) {
  agentSessionUpdate(id: $id, input: $input) { success }
}"""
ISSUE_UPDATE = """
mutation IssueUpdate($id: String!, $input: IssueUpdateInput!) {
  issueUpdate(id: $id, input: $input) { success }
}"""
COMMENT = """
mutation Comment($input: CommentCreateInput!) {
  commentCreate(input: $input) { success comment { id } }
}"""
ISSUE = """
query Issue($id: String!) {
  issue(id: $id) {
    id identifier title description branchName url
    state { id type }
    delegate { id }
    creator { id }
    team { id key states { nodes { id type position } } }
    project { id name }
    parent { identifier title creator { id } parent { identifier title creator { id } } }
    labels { nodes { name } }
    comments(first: 50) { nodes { id body createdAt user { id name } } }
  }
}"""
SUGGESTIONS = """
query Suggestions($issueId: String!, $agentSessionId: String, $candidates: [CandidateRepository!]!) {
  issueRepositorySuggestions(
    issueId: $issueId, agentSessionId: $agentSessionId, candidateRepositories: $candidates
  ) { suggestions { repositoryFullName hostname confidence } }
}"""

OF_KIND = {"activity": ACTIVITY, "session": SESSION, "issue": ISSUE_UPDATE, "comment": COMMENT}
"""The operation that sends a row of a kind; a session's and an issue's have their id beside the input."""
