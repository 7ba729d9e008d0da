import Homeserver
import Web

extension Router {
    /// Serves what users tell those who moderate.
    public func addReportingRoutes(reports: ReportService, in environment: EndpointEnvironment) {
        add(ReportRoom(reports: reports), in: environment)
        add(ReportEvent(reports: reports), in: environment)
        add(ReportUser(reports: reports), in: environment)
    }
}
