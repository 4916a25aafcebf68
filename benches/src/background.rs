//! The principals that are not part of any planted path: teams with their people, pipelines and
//! programs, service-linked roles, and roles of IAM Identity Center.

use serde_json::{Value, json};

use crate::aws_managed_policy::{
    ADMINISTRATOR_ACCESS, FOR_FUNCTIONS, FOR_INSTANCES, FOR_PEOPLE, FOR_TASKS, SERVICE_LINKED,
};
use crate::builder::{Builder, Role, User};
use crate::inventory;
use crate::statement::{self, Place, WORKLOAD_BOUNDARY};
use crate::trust;

/// Regions that synthetic accounts use.
pub(crate) const REGIONS: [&str; 2] = ["us-east-1", "eu-west-1"];

const TEAMS: &[&str] = &[
    "payments",
    "checkout",
    "catalogue",
    "search",
    "billing",
    "identity",
    "fraud",
    "growth",
    "mobile",
    "data",
    "ledger",
    "shipping",
    "returns",
    "pricing",
    "media",
    "notify",
    "partner",
    "support",
    "insight",
    "risk",
    "warehouse",
    "loyalty",
    "content",
    "edge",
    "observability",
];
const ENVIRONMENTS: &[(u32, &str)] = &[(4, "dev"), (3, "staging"), (5, "prod")];
const APPLICATIONS: &[&str] = &[
    "api",
    "worker",
    "ingest",
    "export",
    "sync",
    "report",
    "thumbnail",
    "webhook",
    "scheduler",
    "indexer",
    "gateway",
    "replay",
    "audit",
    "cleanup",
    "enrich",
    "router",
];
const GIVEN_NAMES: &[&str] = &[
    "ada", "bela", "chen", "dora", "emil", "fatima", "goran", "hana", "ivan", "june", "kofi",
    "lena", "mei", "nils", "olga", "priya", "quinn", "rosa", "sven", "tariq", "uma", "vera",
];
const FAMILY_NAMES: &[&str] = &[
    "abara", "berg", "costa", "dahl", "eriksen", "fischer", "garcia", "haddad", "ito", "jansen",
    "kaya", "lopez", "moreau", "novak", "okafor", "petrov", "rossi", "sato", "tran", "weber",
];

/// What every account has: the workload boundary, the self-service policy, a break-glass user,
/// Identity Center's roles and service-linked roles. Returns the boundary and the self-service
/// policy.
pub(crate) fn foundation(builder: &mut Builder, room: usize) -> (String, String) {
    let place = place(builder, "platform".to_owned(), "prod", String::new());
    let boundary =
        builder.policy(WORKLOAD_BOUNDARY, vec![trust::document(statement::workload_boundary())], 0);
    let self_service =
        builder.policy("self-service", vec![trust::document(statement::self_service(&place))], 0);
    if room >= 20 {
        builder.user(User {
            name: "break-glass".to_owned(),
            attached: vec![ADMINISTRATOR_ACCESS.to_owned()],
            access_keys: 0,
            password: true,
            ..User::default()
        });
        for (set, policy) in [
            ("AdministratorAccess", ADMINISTRATOR_ACCESS),
            ("ReadOnlyAccess", "arn:aws:iam::aws:policy/ReadOnlyAccess"),
            ("ViewOnlyAccess", "arn:aws:iam::aws:policy/job-function/ViewOnlyAccess"),
        ] {
            let suffix = builder.draw.hexadecimal("", 16);
            let role = Role {
                name: format!("AWSReservedSSO_{set}_{suffix}"),
                path: "/aws-reserved/sso.amazonaws.com/".to_owned(),
                trust: trust::identity_center(
                    &builder.account,
                    "AWSSSO_0a1b2c3d4e5f_DO_NOT_DELETE",
                ),
                attached: vec![policy.to_owned()],
                ..Role::default()
            };
            builder.role(role);
        }
        for (service, name, policy) in SERVICE_LINKED {
            builder.role(Role {
                name: (*name).to_owned(),
                path: format!("/aws-service-role/{service}/"),
                trust: trust::service(service),
                attached: vec![format!("arn:aws:iam::aws:policy/aws-service-role/{policy}")],
                ..Role::default()
            });
        }
    }
    (boundary, self_service)
}

/// A team of the background.
#[derive(Clone, Debug)]
struct Team {
    name: String,
    groups: Vec<String>,
    people_policies: Vec<String>,
    program_policies: Vec<String>,
}

/// Fills the account up to `principals` users and roles.
pub(crate) fn fill(builder: &mut Builder, principals: usize, boundary: &str, self_service: &str) {
    let room = principals.saturating_sub(builder.principals());
    let teams: Vec<Team> = (0..(room / 60).clamp(2, 250))
        .map(|number| team(builder, number, room, self_service))
        .collect();
    let users = room * 3 / 10;
    for number in 0..room {
        let chosen = builder.draw.between(0, teams.len().saturating_sub(1));
        let Some(team) = teams.get(chosen) else { continue };
        if number < users {
            user(builder, team, number, boundary, self_service);
        } else {
            role(builder, team, number, boundary);
        }
    }
}

fn place(
    builder: &mut Builder,
    team: String,
    environment: &'static str,
    application: String,
) -> Place {
    let region = builder.draw.weighted(&[(3, REGIONS[0]), (1, REGIONS[1])]);
    Place { account: builder.account.clone(), region, team, environment, application }
}

/// A team with two groups and its managed policies: about one for every four principals, with as
/// many versions as policies in use tend to have.
fn team(builder: &mut Builder, number: usize, room: usize, self_service: &str) -> Team {
    let word = TEAMS.get(number % TEAMS.len()).copied().unwrap_or("team");
    let round = number / TEAMS.len();
    let name = if round == 0 { word.to_owned() } else { format!("{word}{}", round + 1) };
    let teams = (room / 60).clamp(2, 250);
    let mut people_policies = Vec::new();
    let mut program_policies = Vec::new();
    for policy in 0..(room / teams / 4).max(2) {
        let environment = builder.draw.weighted(ENVIRONMENTS);
        let for_people = policy % 3 == 0;
        let suffix = if for_people { "access" } else { "workload" };
        let place = place(builder, name.clone(), environment, String::new());
        let count = builder.draw.weighted(&[(50, 1), (22, 2), (13, 3), (8, 4), (7, 5)]);
        let versions = (0..count).map(|_| shared_document(builder, &place, for_people)).collect();
        // Mostly the newest version is in force.
        let default =
            if builder.draw.chance(92) { count - 1 } else { builder.draw.between(0, count - 1) };
        let arn =
            builder.policy(&format!("{name}-{environment}-{suffix}-{policy}"), versions, default);
        if for_people { people_policies.push(arn) } else { program_policies.push(arn) }
    }
    let mut groups = Vec::new();
    for suffix in ["developers", "operators"] {
        let place = place(builder, name.clone(), "dev", String::new());
        let guardrail = trust::document(vec![statement::guardrail(&mut builder.draw, &place)]);
        let mut attached = vec![self_service.to_owned()];
        attached.extend(people_policies.first().cloned());
        if builder.draw.chance(50) {
            attached.push(builder.draw.weighted(FOR_PEOPLE).to_owned());
        }
        groups.push(builder.group(
            &format!("{name}-{suffix}"),
            vec![("guardrail".to_owned(), guardrail)],
            &attached,
        ));
    }
    Team { name, groups, people_policies, program_policies }
}

fn shared_document(builder: &mut Builder, place: &Place, for_people: bool) -> Value {
    let count = builder.draw.between(1, 4);
    let mut statements: Vec<Value> = (0..count)
        .map(|_| {
            if for_people {
                statement::for_people(&mut builder.draw, place)
            } else {
                statement::for_program(&mut builder.draw, place)
            }
        })
        .collect();
    if builder.draw.chance(20) {
        statements.push(statement::guardrail(&mut builder.draw, place));
    }
    trust::document(statements)
}

/// An inline policy: most with names of their own, the rest word for word what others of the team
/// have as well.
fn inline(
    builder: &mut Builder,
    team: &Team,
    environment: &'static str,
    number: usize,
    for_people: bool,
) -> (String, Value) {
    let application = if builder.draw.chance(70) {
        format!("{}{number}", builder.draw.one_of(APPLICATIONS))
    } else {
        String::new()
    };
    let shared = application.is_empty();
    let place = place(builder, team.name.clone(), environment, application);
    if shared {
        let statements = vec![statement::for_program(&mut builder.draw, &place)];
        return ("shared".to_owned(), trust::document(statements));
    }
    (
        format!("{}-{}", team.name, builder.draw.one_of(APPLICATIONS)),
        shared_document(builder, &place, for_people),
    )
}

fn tags(builder: &mut Builder, team: &Team, environment: &str) -> Vec<(&'static str, String)> {
    let mut tags = vec![("team", team.name.clone())];
    if builder.draw.chance(70) {
        tags.push(("environment", environment.to_owned()));
    }
    if builder.draw.chance(50) {
        tags.push(("cost-center", format!("cc-{}", builder.draw.between(1000, 1099))));
    }
    if builder.draw.chance(30) {
        tags.push(("managed-by", "terraform".to_owned()));
    }
    tags
}

fn user(builder: &mut Builder, team: &Team, number: usize, boundary: &str, self_service: &str) {
    let environment = builder.draw.weighted(ENVIRONMENTS);
    let person = builder.draw.chance(65);
    let mut user = User { tags: tags(builder, team, environment), ..User::default() };
    if person {
        let (given, family) = (builder.draw.one_of(GIVEN_NAMES), builder.draw.one_of(FAMILY_NAMES));
        user.name = format!("{given}.{family}.{number}");
        user.path = builder.draw.weighted(&[(3, "/"), (1, "/people/")]);
        let groups = builder.draw.between(1, 2);
        user.groups = team.groups.iter().take(groups).cloned().collect();
        user.password = builder.draw.chance(80);
        user.access_keys = builder.draw.weighted(&[(40, 0), (45, 1), (15, 2)]);
        if builder.draw.chance(25) {
            user.attached.push(builder.draw.weighted(FOR_PEOPLE).to_owned());
        }
        if builder.draw.chance(10) {
            user.attached.push(self_service.to_owned());
        }
    } else {
        user.name = format!("{}-{environment}-svc-{number}", team.name);
        user.access_keys = builder.draw.weighted(&[(75, 1), (25, 2)]);
        let chosen = builder.draw.between(0, team.program_policies.len().saturating_sub(1));
        user.attached.extend(team.program_policies.get(chosen).cloned());
        if builder.draw.chance(35) {
            user.inline.push(inline(builder, team, environment, number, false));
        }
        if builder.draw.chance(20) {
            user.boundary = Some(boundary.to_owned());
        }
    }
    builder.user(user);
}

/// What a role is for.
#[derive(Clone, Copy, Debug)]
enum Purpose {
    Function,
    Task,
    Instance,
    People,
    Pipeline,
    Vendor,
    Service(&'static str),
}

fn role(builder: &mut Builder, team: &Team, number: usize, boundary: &str) {
    const PURPOSES: &[(u32, Purpose)] = &[
        (28, Purpose::Function),
        (18, Purpose::Task),
        (10, Purpose::Instance),
        (15, Purpose::People),
        (8, Purpose::Pipeline),
        (4, Purpose::Vendor),
        (4, Purpose::Service("states.amazonaws.com")),
        (3, Purpose::Service("events.amazonaws.com")),
        (3, Purpose::Service("glue.amazonaws.com")),
        (2, Purpose::Service("codebuild.amazonaws.com")),
        (2, Purpose::Service("firehose.amazonaws.com")),
        (2, Purpose::Service("cloudformation.amazonaws.com")),
        (1, Purpose::Service("es.amazonaws.com")),
    ];
    let purpose = builder.draw.weighted(PURPOSES);
    let environment = builder.draw.weighted(ENVIRONMENTS);
    let application = builder.draw.one_of(APPLICATIONS);
    let stem = format!("{}-{environment}-{application}", team.name);
    let account = builder.account.clone();
    let mut role = Role { tags: tags(builder, team, environment), ..Role::default() };
    let for_people = matches!(purpose, Purpose::People | Purpose::Pipeline);
    match purpose {
        Purpose::Function => {
            role.name = format!("{stem}-fn-{number}");
            role.path = builder.draw.weighted(&[(5, "/"), (1, "/service-role/")]).to_owned();
            role.trust = trust::service("lambda.amazonaws.com");
            role.attached.push(builder.draw.weighted(FOR_FUNCTIONS).to_owned());
        }
        Purpose::Task => {
            role.name = format!("{stem}-task-{number}");
            role.trust = if builder.draw.chance(40) {
                trust::service_for_account("ecs-tasks.amazonaws.com", &account)
            } else {
                trust::service("ecs-tasks.amazonaws.com")
            };
            role.attached.push(builder.draw.weighted(FOR_TASKS).to_owned());
        }
        Purpose::Instance => {
            role.name = format!("{stem}-host-{number}");
            role.trust = trust::service("ec2.amazonaws.com");
            role.profile = true;
            role.attached.push(builder.draw.weighted(FOR_INSTANCES).to_owned());
        }
        Purpose::People => {
            role.name = format!("{stem}-access-{number}");
            role.trust = trust::people(&mut builder.draw, &account, &team.name);
            let chosen = builder.draw.between(0, team.people_policies.len().saturating_sub(1));
            role.attached.extend(team.people_policies.get(chosen).cloned());
            if builder.draw.chance(30) {
                role.attached.push(builder.draw.weighted(FOR_PEOPLE).to_owned());
            }
        }
        Purpose::Pipeline => {
            role.name = format!("{stem}-deploy-{number}");
            role.trust = trust::pipeline(
                &account,
                &team.name,
                application,
                builder.draw.one_of(&["main", "release/*"]),
            );
            let chosen = builder.draw.between(0, team.people_policies.len().saturating_sub(1));
            role.attached.extend(team.people_policies.get(chosen).cloned());
        }
        Purpose::Vendor => {
            role.name = format!("{stem}-vendor-{number}");
            role.trust = trust::vendor(&mut builder.draw);
            role.attached.push("arn:aws:iam::aws:policy/job-function/ViewOnlyAccess".to_owned());
        }
        Purpose::Service(service) => {
            let word = service.split('.').next().unwrap_or("service");
            role.name = format!("{stem}-{word}-{number}");
            role.trust = if builder.draw.chance(40) {
                trust::service_for_account(service, &account)
            } else {
                trust::service(service)
            };
        }
    }
    if !for_people && builder.draw.chance(60) {
        let chosen = builder.draw.between(0, team.program_policies.len().saturating_sub(1));
        role.attached.extend(team.program_policies.get(chosen).cloned());
    }
    for _ in 0..builder.draw.weighted(&[(60, 0), (30, 1), (8, 2), (2, 3)]) {
        let (name, document) = inline(builder, team, environment, number, for_people);
        if role.inline.iter().all(|(other, _)| *other != name) {
            role.inline.push((name, document));
        }
    }
    if !for_people && builder.draw.chance(25) {
        role.boundary = Some(boundary.to_owned());
    }
    let name = role.name.clone();
    let arn = builder.role(role);
    match purpose {
        Purpose::Function if builder.draw.chance(60) => {
            inventory::function(builder, &name, &arn);
        }
        Purpose::Instance if builder.draw.chance(80) => {
            let team_tag = json!({ "Key": "team", "Value": team.name });
            inventory::instance(builder, &name, team_tag);
        }
        _ => {}
    }
}
