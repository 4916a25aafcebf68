//! The responses besides authorization details: functions, instances, the credential report, and
//! empty lists for the other services that techniques look at.

use std::path::{Path, PathBuf};

use serde::Serialize;
use serde_json::{Value, json};

use crate::background::REGIONS;
use crate::builder::Builder;

/// Calls that list resources, each with the field that is empty when there are none.
const EMPTY_LISTS: &[(&str, &str)] = &[
    ("amplify/list-apps", "apps"),
    ("apprunner/list-services", "ServiceSummaryList"),
    ("appstream/describe-fleets", "Fleets"),
    ("appstream/describe-image-builders", "ImageBuilders"),
    ("appstream/describe-stacks", "Stacks"),
    ("athena/list-work-groups", "WorkGroups"),
    ("autoscaling/describe-auto-scaling-groups", "AutoScalingGroups"),
    ("batch/describe-compute-environments", "computeEnvironments"),
    ("batch/describe-job-definitions", "jobDefinitions"),
    ("batch/describe-job-queues", "jobQueues"),
    ("bedrock-agentcore-control/list-agent-runtimes", "agentRuntimes"),
    ("bedrock-agentcore-control/list-browsers", "browserSummaries"),
    ("bedrock-agentcore-control/list-code-interpreters", "codeInterpreterSummaries"),
    ("bedrock-agentcore-control/list-gateways", "items"),
    ("bedrock-agentcore-control/list-harnesses", "harnesses"),
    ("cloudformation/describe-stacks", "Stacks"),
    ("cloudformation/list-stack-sets", "Summaries"),
    ("codebuild/batch-get-projects", "projects"),
    ("codebuild/list-projects", "projects"),
    ("codedeploy/list-applications", "applications"),
    ("datapipeline/list-pipelines", "pipelineIdList"),
    ("deadline/list-farms", "farms"),
    ("dynamodb/list-tables", "TableNames"),
    ("ec2/describe-launch-templates", "LaunchTemplates"),
    ("ecs/describe-clusters", "clusters"),
    ("ecs/list-clusters", "clusterArns"),
    ("ecs/list-task-definitions", "taskDefinitionArns"),
    ("elasticbeanstalk/describe-environments", "Environments"),
    ("emr-serverless/list-applications", "applications"),
    ("glue/get-dev-endpoints", "DevEndpoints"),
    ("glue/get-jobs", "Jobs"),
    ("glue/get-triggers", "Triggers"),
    ("grafana/list-workspaces", "workspaces"),
    ("imagebuilder/list-infrastructure-configurations", "infrastructureConfigurationSummaryList"),
    ("iot/list-role-aliases", "roleAliases"),
    ("kms/list-keys", "Keys"),
    ("lambda/list-event-source-mappings", "EventSourceMappings"),
    ("lambda/list-layers", "Layers"),
    ("mwaa/list-environments", "Environments"),
    ("opensearch/describe-domains", "DomainStatusList"),
    ("opensearch/list-domain-names", "DomainNames"),
    ("sagemaker/list-notebook-instance-lifecycle-configs", "NotebookInstanceLifecycleConfigs"),
    ("sagemaker/list-notebook-instances", "NotebookInstances"),
    ("sagemaker/list-spaces", "Spaces"),
    ("secretsmanager/list-secrets", "SecretList"),
    ("sns/list-topics", "Topics"),
    ("sqs/list-queues", "QueueUrls"),
    ("ssm/describe-parameters", "Parameters"),
    ("stepfunctions/list-state-machines", "stateMachines"),
    ("transfer/list-servers", "Servers"),
];

const REPORT_COLUMNS: &str = "user,arn,user_creation_time,password_enabled,password_last_used,password_last_changed,password_next_rotation,mfa_active,access_key_1_active,access_key_1_last_rotated,access_key_1_last_used_date,access_key_1_last_used_region,access_key_1_last_used_service,access_key_2_active,access_key_2_last_rotated,access_key_2_last_used_date,access_key_2_last_used_region,access_key_2_last_used_service,cert_1_active,cert_1_last_rotated,cert_2_active,cert_2_last_rotated";

/// Adds a function that runs as `role` and returns its ARN.
pub(crate) fn function(builder: &mut Builder, name: &str, role: &str) -> String {
    let region = builder.draw.weighted(&[(3, REGIONS[0]), (1, REGIONS[1])]);
    let arn = format!("arn:aws:lambda:{region}:{}:function:{name}", builder.account);
    let draw = &mut builder.draw;
    let function = json!({
        "FunctionName": name, "FunctionArn": arn,
        "Runtime": draw.one_of(&["python3.12", "nodejs20.x", "java21", "provided.al2023"]),
        "Role": role, "Handler": "main.handler", "CodeSize": draw.between(1_000, 40_000_000),
        "Description": "", "Timeout": draw.one_of(&[3, 30, 60, 900]),
        "MemorySize": draw.one_of(&[128, 256, 512, 1024]), "LastModified": draw.moment(),
        "CodeSha256": draw.hexadecimal("", 44), "Version": "$LATEST",
        "Environment": { "Variables": { "LOG_LEVEL": "info", "STAGE": draw.one_of(&["dev", "prod"]) } },
        "TracingConfig": { "Mode": "PassThrough" }, "RevisionId": draw.hexadecimal("", 36),
        "PackageType": "Zip", "Architectures": ["arm64"], "EphemeralStorage": { "Size": 512 },
        "SnapStart": { "ApplyOn": "None", "OptimizationStatus": "Off" },
        "LoggingConfig": { "LogFormat": "JSON", "LogGroup": format!("/aws/lambda/{name}") },
    });
    builder.functions.entry(region).or_default().push(function);
    arn
}

/// Adds a running instance that Systems Manager manages, with the instance profile of this name,
/// and returns its ARN.
pub(crate) fn instance(builder: &mut Builder, profile: &str, team: Value) -> String {
    let region = builder.draw.weighted(&[(3, REGIONS[0]), (1, REGIONS[1])]);
    let id = builder.draw.hexadecimal("i-", 17);
    let profile_arn = builder.iam(&format!("instance-profile/{profile}"));
    let profile_id = builder.profile_ids.get(profile).cloned();
    let draw = &mut builder.draw;
    let instance = json!({
        "Architecture": "x86_64", "BlockDeviceMappings": [], "EbsOptimized": true,
        "EnaSupport": true, "Hypervisor": "xen",
        "IamInstanceProfile": { "Arn": profile_arn, "Id": profile_id },
        "NetworkInterfaces": [], "RootDeviceName": "/dev/xvda", "RootDeviceType": "ebs",
        "SecurityGroups": [{ "GroupId": "sg-0a1b2c3d4e5f60718", "GroupName": "default" }],
        "SourceDestCheck": true,
        "Tags": [{ "Key": "Name", "Value": profile }, team],
        "VirtualizationType": "hvm",
        "MetadataOptions": {
            "State": "applied", "HttpTokens": draw.one_of(&["required", "optional"]),
            "HttpPutResponseHopLimit": 1, "HttpEndpoint": "enabled"
        },
        "InstanceId": id, "ImageId": draw.hexadecimal("ami-", 17),
        "State": { "Code": 16, "Name": "running" },
        "PrivateDnsName": format!("ip-10-0-{}-{}.ec2.internal", draw.between(0, 255), draw.between(4, 250)),
        "PublicDnsName": "", "StateTransitionReason": "", "AmiLaunchIndex": 0,
        "InstanceType": draw.one_of(&["t3.micro", "m6i.large", "c7g.xlarge"]),
        "LaunchTime": draw.moment(),
        "Placement": { "GroupName": "", "Tenancy": "default", "AvailabilityZone": format!("{region}a") },
        "Monitoring": { "State": "disabled" },
        "SubnetId": "subnet-0a1b2c3d4e5f60718", "VpcId": "vpc-0a1b2c3d4e5f60718",
    });
    builder.instances.entry(region).or_default().push(instance);
    format!("arn:aws:ec2:{region}:{}:instance/{id}", builder.account)
}

/// Every file of the account's snapshot, sorted by path; what `builder` held is used up.
pub(crate) fn files(mut builder: Builder) -> Vec<(PathBuf, String)> {
    let account = PathBuf::from("accounts").join(&builder.account);
    let mut files = Vec::new();
    let mut add = |folder: &str, call: &str, response: &Value| {
        files.push((account.join(folder).join(format!("{call}.json")), printed(response)));
    };
    // Nothing that reads an account may depend on the order in which it was made.
    let mut users = std::mem::take(&mut builder.users);
    let mut roles = std::mem::take(&mut builder.roles);
    builder.draw.shuffle(&mut users);
    builder.draw.shuffle(&mut roles);
    let groups = std::mem::take(&mut builder.groups);
    let policies = builder.all_policies();
    let details = json!({
        "UserDetailList": users, "GroupDetailList": groups, "RoleDetailList": roles,
        "Policies": policies,
    });
    add("global", "iam/get-account-authorization-details", &details);
    drop(details);
    let root = format!(
        "<root_account>,arn:aws:iam::{}:root,2019-01-01T00:00:00+00:00,not_supported,no_information,not_supported,not_supported,true,false,N/A,N/A,N/A,N/A,false,N/A,N/A,N/A,N/A,false,N/A,false,N/A",
        builder.account
    );
    let mut lines = vec![REPORT_COLUMNS.to_owned(), root];
    lines.append(&mut builder.report);
    let report = lines.join("\n");
    let report = json!({
        "Content": base64(report.as_bytes()), "ReportFormat": "text/csv",
        "GeneratedTime": "2025-11-15T00:00:00+00:00",
    });
    add("global", "iam/get-credential-report", &report);
    add(
        "global",
        "iam/list-instance-profiles",
        &json!({ "InstanceProfiles": std::mem::take(&mut builder.profiles) }),
    );
    let provider = |rest: &str| json!([{ "Arn": builder.iam(rest) }]);
    add(
        "global",
        "iam/list-saml-providers",
        &json!({ "SAMLProviderList": provider("saml-provider/AWSSSO_0a1b2c3d4e5f_DO_NOT_DELETE") }),
    );
    add(
        "global",
        "iam/list-open-id-connect-providers",
        &json!({ "OpenIDConnectProviderList": provider("oidc-provider/token.actions.githubusercontent.com") }),
    );
    add(
        "global",
        "s3api/list-buckets",
        &json!({ "Buckets": [], "Owner": { "ID": "0".repeat(64) } }),
    );
    for region in REGIONS {
        let functions = builder.functions.remove(region).unwrap_or_default();
        for (number, function) in functions.iter().enumerate() {
            let text = |field| function.get(field).and_then(Value::as_str).unwrap_or_default();
            let call = format!("lambda/get-policy/{}", text("FunctionName"));
            add(region, &call, &function_policy(number, text("FunctionArn"), &builder.account));
        }
        add(region, "lambda/list-functions", &json!({ "Functions": functions }));
        let instances = builder.instances.remove(region).unwrap_or_default();
        let managed: Vec<Value> = instances
            .iter()
            .map(|instance| {
                json!({
                    "InstanceId": instance.get("InstanceId"), "PingStatus": "Online",
                    "AgentVersion": "3.3.2299.0", "IsLatestVersion": true, "PlatformType": "Linux",
                    "PlatformName": "Amazon Linux", "ResourceType": "EC2Instance",
                })
            })
            .collect();
        let reservations: Vec<Value> = instances
            .into_iter()
            .enumerate()
            .map(|(number, instance)| {
                json!({
                    "ReservationId": format!("r-{number:017x}"), "OwnerId": builder.account,
                    "Groups": [], "Instances": [instance],
                })
            })
            .collect();
        add(region, "ec2/describe-instances", &json!({ "Reservations": reservations }));
        add(
            region,
            "ssm/describe-instance-information",
            &json!({ "InstanceInformationList": managed }),
        );
        for (call, field) in EMPTY_LISTS {
            let mut response = serde_json::Map::new();
            response.insert((*field).to_owned(), json!([]));
            add(region, call, &Value::Object(response));
        }
    }
    files.sort();
    files
}

/// Every second function may be invoked by a service; the others have no policy.
fn function_policy(number: usize, function: &str, account: &str) -> Value {
    if number % 2 == 1 {
        return json!({ "Error": {
            "Code": "ResourceNotFoundException",
            "Message": "The resource you requested does not exist."
        } });
    }
    let policy = json!({
        "Version": "2012-10-17", "Id": "default",
        "Statement": [{
            "Sid": "events", "Effect": "Allow", "Principal": { "Service": "events.amazonaws.com" },
            "Action": "lambda:InvokeFunction", "Resource": function,
            "Condition": { "StringEquals": { "AWS:SourceAccount": account } }
        }]
    });
    json!({ "Policy": policy.to_string(), "RevisionId": format!("{number:036x}") })
}

/// The text that the AWS CLI prints: indented by four spaces.
pub(crate) fn printed(response: &Value) -> String {
    let mut text = Vec::new();
    let formatter = serde_json::ser::PrettyFormatter::with_indent(b"    ");
    let mut serializer = serde_json::Serializer::with_formatter(&mut text, formatter);
    // Writing a JSON value to memory has no way to fail.
    let written = response.serialize(&mut serializer);
    debug_assert!(written.is_ok());
    text.push(b'\n');
    String::from_utf8(text).unwrap_or_default()
}

/// Writes `files` below `folder`.
///
/// # Errors
///
/// When a folder or file cannot be written.
pub(crate) fn write(files: &[(PathBuf, String)], folder: &Path) -> std::io::Result<()> {
    for (path, text) in files {
        let path = folder.join(path);
        if let Some(parent) = path.parent() {
            std::fs::create_dir_all(parent)?;
        }
        std::fs::write(path, text)?;
    }
    Ok(())
}

/// Base64 with padding, RFC 4648 section 4.
fn base64(bytes: &[u8]) -> String {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::with_capacity(bytes.len().div_ceil(3) * 4);
    for chunk in bytes.chunks(3) {
        let bits =
            (0..3).fold(0_u32, |bits, at| bits << 8 | chunk.get(at).copied().map_or(0, u32::from));
        for at in 0..4 {
            let digit = (bits >> (18 - 6 * at)) & 63;
            let character = ALPHABET.get(digit as usize).copied().unwrap_or(b'=');
            text.push(if at > chunk.len() { '=' } else { char::from(character) });
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn base64_is_that_of_the_rfc() {
        for (bytes, text) in
            [("", ""), ("f", "Zg=="), ("fo", "Zm8="), ("foo", "Zm9v"), ("foob", "Zm9vYg==")]
        {
            assert_eq!(base64(bytes.as_bytes()), text);
        }
    }
}
